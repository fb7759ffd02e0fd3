# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The loss by which embeddings learn places: of pictures, and of label maps."""

from __future__ import annotations

from pytorch_metric_learning import distances, losses, miners
import torch
from torch.nn import functional as F


class MultiSimilarity:
    """Multi-similarity loss and miner (arXiv 1904.06627), constants of GSV-Cities (2210.10239)."""

    def __init__(self) -> None:
        """Create loss and miner."""
        self._loss = losses.MultiSimilarityLoss(
            alpha=1.0, beta=50.0, base=0.0, distance=distances.DotProductSimilarity())
        self._miner = miners.MultiSimilarityMiner(
            epsilon=0.1, distance=distances.CosineSimilarity())

    def __call__(self, embedding: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of embeddings ``[B, dims]`` with places ``[B]``."""
        unit = F.normalize(embedding)
        return self._loss(unit, labels, self._miner(unit, labels))
