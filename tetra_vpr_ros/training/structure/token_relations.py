# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
How patch tokens of the same label are related, as the structural branch sees it.

Two patches of one wall are alike to a network that sees colours and differ in where
they lie on it; the structural branch sees the latter only. Pair-wise relations are
distilled rather than tokens (after arXiv 1903.04197, section 3.1, there of a
segmentation): the two networks need no common space.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tetra_vpr_ros.training.structure.branch import StructureBranch
from tetra_vpr_ros.training.structure.labelled_sets import LabelledSet
from tetra_vpr_ros.training.teachers.teacher import align
import torch
from torch.nn import functional as F

_COVERED = 0.5  # of a patch by one group, or it has no label


class StructuralTokens:
    """
    Tokens and labels of patches, from the label maps of pictures that were cut.

    :param branch: the structural one; it does not change.
    :param sets: places with label maps.
    :param grid: rows and columns of the student's patches.
    :param others: say of each picture what the label map of another one shows, drawn by it.
    """

    def __init__(self, branch: StructureBranch, sets: Sequence[LabelledSet],
                 grid: tuple[int, int], others: np.random.Generator | None = None) -> None:
        """Index the label maps; none is read yet."""
        self.branch, self.grid = branch, grid
        maps = [(part, i) for part in sets for i in range(len(part))]
        order = np.arange(len(maps)) if others is None else others.permutation(len(maps))
        names = [name for part in sets for name in part.names]
        self._map = {name: maps[row] for name, row in zip(names, order)}

    @torch.no_grad()
    def __call__(self, names: Sequence[str], cuts: Sequence[np.ndarray]
                 ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Return tokens ``[B, rows*columns, width]`` and labels ``[B, rows*columns]``.

        A label is an index of `GROUPS`, or -1 where no group covers most of the patch.

        :param names: of pictures with label maps.
        :param cuts: from each picture to its view, see `random_cut`.
        """
        encoded = torch.from_numpy(np.stack([
            part.encoded(i, self.branch.config.side, cut=cut)
            for (part, i), cut in zip((self._map[name] for name in names), cuts)]))
        encoded = encoded.to(self.branch.position.device)
        tokens = align(self.branch.tokens(encoded), self.branch.grid, self.grid)
        cover, label = F.adaptive_avg_pool2d(encoded, self.grid).flatten(2).max(1)
        return tokens, label.masked_fill(cover <= _COVERED, -1)


def relation_loss(codes: torch.Tensor, taught: torch.Tensor, labels: torch.Tensor
                  ) -> torch.Tensor:
    """
    Return, for each picture, how differently two networks relate patches of the same label.

    One minus the correlation of the cosines between the tokens of all pairs of patches that
    have the same label; 0 where fewer than three pairs have, or all are alike to a network.

    :param codes: of the student's patch tokens, ``[B, n, bits]``.
    :param taught: tokens of the teacher, ``[B, n, C]``.
    :param labels: of the patches, ``[B, n]``; -1 is none.
    :returns: ``[B]``, 0..2.
    """
    above = torch.ones(codes.shape[1], codes.shape[1], dtype=torch.bool,
                       device=codes.device).triu(1)
    pairs = (labels[:, :, None] == labels[:, None]) & (labels >= 0)[:, None] & above
    count = pairs.flatten(1).sum(1)

    def standardised(tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        unit = F.normalize(tokens - tokens.mean(1, keepdim=True), dim=2)
        cosines = (unit @ unit.transpose(1, 2) * pairs).flatten(1)
        about = (cosines - (cosines.sum(1) / count.clamp_min(1))[:, None]) * pairs.flatten(1)
        return F.normalize(about, dim=1), about.detach().norm(dim=1) > 1e-4

    student, varied = standardised(codes)
    teacher, various = standardised(taught)
    return (1 - (student * teacher).sum(1)) * ((count >= 3) & varied & various)
