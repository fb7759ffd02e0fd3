# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Weighted distillation of structural knowledge into the RGB network, in stage 2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tetra_vpr_ros.training.network.place_network import NetworkConfig
from tetra_vpr_ros.training.structure.structural_knowledge import Knowledge
from tetra_vpr_ros.training.structure.structure_config import StructureConfig
from tetra_vpr_ros.training.structure.token_relations import relation_loss, StructuralTokens
import torch
from torch import nn
from torch.nn import functional as F


class StructureLoss(nn.Module):
    """
    What the structural teacher says of a batch, weighted picture by picture.

    ``feature`` (StructVPR, eq. 4): squared distance of unit embeddings, the student's
    after a linear projection that exists in training only. ``relational``: the margin
    between the best positive and the hardest negative must not be smaller than the
    teacher's; it is taken of the signs, so that it survives binarisation. ``tokens``: patch
    tokens of the same label are related as the teacher's are, see `relation_loss`; of their
    signs, too.

    :param knowledge: weights of the pictures, and what the structural branch says of them.
    :param network: shape of the student.
    :param config: which loss, and which control.
    :param seed: of the controls.
    """

    def __init__(self, knowledge: Knowledge, network: NetworkConfig, config: StructureConfig,
                 seed: int) -> None:
        """Index the pictures; a control changes who says what."""
        super().__init__()
        rng = np.random.default_rng(seed)
        names = list(knowledge.embeddings)
        values = torch.stack([knowledge.embeddings[name] for name in names])
        amounts = np.array(knowledge.weights.weights)
        shuffled = config.control == 'shuffled'  # label maps of other pictures
        if config.control == 'random':  # the same histogram of weights
            amounts = rng.permutation(amounts)
        elif shuffled:
            values = values[torch.from_numpy(rng.permutation(len(values)))]
        self._row = {name: i for i, name in enumerate(names)}
        self._weight = dict(zip(knowledge.weights.names, amounts.tolist()))
        self.register_buffer('values', values, persistent=False)
        self.loss = config.loss
        self.project = (nn.Linear(network.bits, values.shape[1], bias=False)
                        if config.loss == 'feature' else nn.Identity())
        self._tokens = None
        if config.loss == 'tokens':
            assert knowledge.branch is not None
            self._tokens = StructuralTokens(knowledge.branch, knowledge.sets, network.vit.grid,
                                            rng if shuffled else None)

    def forward(self, names: Sequence[str], embedding: torch.Tensor, binary: torch.Tensor,
                labels: torch.Tensor, codes: torch.Tensor | None = None,
                cuts: Sequence[np.ndarray] = ()) -> torch.Tensor:
        """
        Return the mean weighted loss of a batch.

        :param names: of the pictures; those without a label map do not count.
        :param embedding: of the student, ``[B, bits]``.
        :param binary: its signs, with straight-through gradient.
        :param labels: places, ``[B]``.
        :param codes: signs of the patch tokens, ``[B, rows*columns, token_bits]``; only
            ``tokens`` needs them.
        :param cuts: from each picture to its view, see `random_cut`; likewise.
        """
        rows = torch.tensor([self._row.get(name, -1) for name in names], device=embedding.device)
        weight = torch.tensor([self._weight.get(name, 0.0) for name in names],
                              device=embedding.device)
        known = rows >= 0
        counts = known & (weight > 0)
        if not counts.any():
            return embedding.sum() * 0.0
        if self._tokens is not None:
            assert codes is not None
            taught = torch.nonzero(counts).flatten()
            told = self._tokens([names[i] for i in taught], [cuts[i] for i in taught])
            return (weight[taught] * relation_loss(codes[taught], *told)).sum() / len(names)
        teacher = self.values[rows.clamp_min(0)]
        if self.loss == 'relational':
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
