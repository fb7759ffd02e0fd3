# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The losses by which patch tokens learn to find a place, and its points, again."""

from __future__ import annotations

from functools import cache

from tetra_vpr_ros.training.network.token_score import token_scores
import torch
from torch.nn import functional as F


def token_score_loss(codes: torch.Tensor, labels: torch.Tensor, grid: tuple[int, int],
                     temperature: float) -> torch.Tensor:
    """
    Return how badly the second look tells two pictures of a place from those of others.

    InfoNCE (arXiv 1807.03748) on the second look's own score, in both directions, through the
    best shift and the best of nine cells: the first picture of each place asks for the second
    among the second pictures of all.

    :param codes: of the patch tokens, real-valued or signs, ``[B, rows*columns, bits]``.
    :param labels: places ``[B]``; those with one picture are left out.
    :param grid: rows and columns.
    :param temperature: that scores are divided by.
    """
    pairs = []
    for label in labels.unique():
        members = torch.nonzero(labels == label).flatten()
        if len(members) > 1:
            pairs.append(members[:2])
    if len(pairs) < 2:
        return codes.sum() * 0.0
    first, second = torch.stack(pairs).T
    scores = token_scores(codes[first], codes[second], grid) / temperature
    right = torch.arange(len(pairs), device=codes.device)
    return 0.5 * (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right))


def token_point_loss(codes: torch.Tensor, pairs: torch.Tensor, shared: torch.Tensor,
                     grid: tuple[int, int], temperature: float) -> torch.Tensor:
    """
    Return how badly a patch finds the patch of another view that shows the same point.

    InfoNCE over the patches of the other view, but for the neighbours of the right one: the
    point may lie at its edge.

    :param codes: of the patch tokens, real-valued or signs, ``[B, rows*columns, bits]``.
    :param pairs: of views, int64 ``[P, 2]``.
    :param shared: for each patch of the first view that of the second, int64
        ``[P, rows*columns]``; -1 where none shows its point.
    :param grid: rows and columns.
    :param temperature: that similarities, -1..1 of signs, are divided by.
    """
    which, patch = torch.nonzero(shared >= 0, as_tuple=True)
    if not len(which):
        return codes.sum() * 0.0
    right = shared[which, patch]
    table = torch.einsum('pib,pjb->pij', *codes[pairs.T]) / codes.shape[2]
    similar = table[which, patch]
    beside = _neighbours(grid, codes.device)[right].scatter(1, right[:, None], False)
    return F.cross_entropy((similar / temperature).masked_fill(beside, -torch.inf), right)


@cache
def _neighbours(grid: tuple[int, int], device: torch.device) -> torch.Tensor:
    """Tell which patches touch, themselves among them, bool ``[rows*columns, rows*columns]``."""
    row, column = (axis.flatten() for axis in torch.meshgrid(
        torch.arange(grid[0]), torch.arange(grid[1]), indexing='ij'))
    return (torch.maximum((row[:, None] - row).abs(), (column[:, None] - column).abs())
            <= 1).to(device)
