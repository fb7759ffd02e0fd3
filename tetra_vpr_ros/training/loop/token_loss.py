# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The loss by which patch tokens learn to tell places apart in the second look."""

from __future__ import annotations

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
