# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Weighted distillation of structural knowledge into the RGB network, in stage 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from tetra_vpr_ros.training.structure.sample_weights import SampleWeights
from tetra_vpr_ros.training.structure.structure_config import StructureConfig
import torch
from torch import nn
from torch.nn import functional as F


class StructureLoss(nn.Module):
    """
    What the structural teacher says of a batch, weighted picture by picture.

    ``feature`` (StructVPR, eq. 4): squared distance of unit embeddings, the student's
    after a linear projection that exists in training only. ``relational``: the margin
    between the best positive and the hardest negative must not be smaller than the
    teacher's; it is taken of the signs, so that it survives binarisation.

    :param weights: of the pictures.
    :param embeddings: unit vectors of the structural branch by the pictures' names.
    :param bits: of the student's embedding.
    :param config: which loss, and which control.
    :param seed: of the controls.
    """

    def __init__(self, weights: SampleWeights, embeddings: Mapping[str, torch.Tensor], bits: int,
                 config: StructureConfig, seed: int) -> None:
        """Index the pictures; a control changes who says what."""
        super().__init__()
        rng = np.random.default_rng(seed)
        names = list(embeddings)
        values = torch.stack([embeddings[name] for name in names])
        amounts = np.array(weights.weights)
        if config.control == 'shuffled':  # label maps of other pictures
            values = values[torch.from_numpy(rng.permutation(len(values)))]
        elif config.control == 'random':  # the same histogram of weights
            amounts = rng.permutation(amounts)
        self._row = {name: i for i, name in enumerate(names)}
        self._weight = dict(zip(weights.names, amounts.tolist()))
        self.register_buffer('values', values, persistent=False)
        self.relational = config.loss == 'relational'
        self.project = (nn.Identity() if self.relational
                        else nn.Linear(bits, values.shape[1], bias=False))

    def forward(self, names: Sequence[str], embedding: torch.Tensor, binary: torch.Tensor,
                labels: torch.Tensor) -> torch.Tensor:
        """
        Return the mean weighted loss of a batch.

        :param names: of the pictures; those without a label map do not count.
        :param embedding: of the student, ``[B, bits]``.
        :param binary: its signs, with straight-through gradient.
        :param labels: places, ``[B]``.
        """
        rows = torch.tensor([self._row.get(name, -1) for name in names], device=embedding.device)
        weight = torch.tensor([self._weight.get(name, 0.0) for name in names],
                              device=embedding.device)
        known = rows >= 0
        if not (known & (weight > 0)).any():
            return embedding.sum() * 0.0
        teacher = self.values[rows.clamp_min(0)]
        if self.relational:
            loss = self._margins(F.normalize(binary), teacher, known, labels)
        else:
            student = F.normalize(self.project(embedding))
            loss = (student - teacher).square().sum(1)
        return (weight * loss * known).mean()

    def _margins(self, student: torch.Tensor, teacher: torch.Tensor, known: torch.Tensor,
                 labels: torch.Tensor) -> torch.Tensor:
        """Return, for each picture, by how much its margin falls short of the teacher's."""
        same = labels[:, None] == labels[None]
        both = known[:, None] & known[None]
        positive = same & both & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        negative = ~same & both
        alike, taught = student @ student.T, teacher @ teacher.T
        best = alike.masked_fill(~positive, -2.0).argmax(1, keepdim=True)
        hardest = alike.masked_fill(~negative, -2.0).argmax(1, keepdim=True)

        def margin(similarity: torch.Tensor) -> torch.Tensor:
            return (similarity.gather(1, best) - similarity.gather(1, hardest)).squeeze(1)

        short = F.relu(margin(taught) - margin(alike)).square()
        return short * (positive.any(1) & negative.any(1))
