# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The score of the second look in torch, so that tokens can be trained for it.

The same as ``tetra_vpr_ros.mapping.map.TokenComparison`` where codes are signs: at every shift
of the grid each token of the query takes the best of the cell that it falls on and the eight
around it; the mean over the overlap counts, at the best shift. The gradient goes through what
was best.
"""

from __future__ import annotations

from functools import cache

import torch
from torch.nn import functional as F

MOST_ROWS, MOST_COLUMNS = 2, 4
"""Cells by which pictures are shifted at most, as the second look does."""


def token_scores(queries: torch.Tensor, places: torch.Tensor, grid: tuple[int, int]
                 ) -> torch.Tensor:
    """
    Compare every query with every place.

    :param queries: codes ``[Q, rows*columns, bits]``; of signs, the score is ``2 s - 1`` where
        ``s`` is the share of equal bits.
    :param places: ``[P, rows*columns, bits]``.
    :param grid: rows and columns.
    :returns: mean similarity at the best shift, ``[Q, P]``.
    """
    rows, columns = grid
    table = torch.einsum('pib,qjb->qpij', places, queries) / queries.shape[2]
    shape = (len(queries) * len(places), rows * columns, rows, columns)
    # The best of nine cells of the place, for each token of the query.
    near = F.max_pool2d(table.transpose(2, 3).reshape(shape), 3, 1, 1).flatten(2)
    cells, shares = _shifts(grid, queries.device)
    shares = shares.to(near.dtype)
    with torch.no_grad():  # the gradient needs the best shift alone
        means = torch.stack([
            near[:, torch.arange(len(cell)), cell] @ share
            for cell, share in zip(cells, shares)], 1)
        best = means.argmax(1)
    found = near.gather(2, cells[best].unsqueeze(2)).squeeze(2)
    return (found * shares[best]).sum(1).unflatten(0, (len(queries), len(places)))


@cache
def _shifts(grid: tuple[int, int], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Return the place's cell that each cell of the query falls on, and what it counts.

    :returns: int64 and float, ``[shifts, rows*columns]``; what falls beside the grid counts 0.
    """
    rows, columns = grid
    row, column = (axis.flatten() for axis in torch.meshgrid(
        torch.arange(rows), torch.arange(columns), indexing='ij'))
    down, right = (axis.flatten()[:, None] for axis in torch.meshgrid(
        *(torch.arange(-min(most, side - 1), min(most, side - 1) + 1)
          for most, side in ((MOST_ROWS, rows), (MOST_COLUMNS, columns))), indexing='ij'))
    inside = ((row + down >= 0) & (row + down < rows)
              & (column + right >= 0) & (column + right < columns))
    cells = torch.where(inside, (row + down) * columns + column + right, 0)
    return cells.to(device), (inside / inside.sum(1, keepdim=True)).to(device)
