# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The second look: how well two pictures' patch tokens agree, shifted over each other.

A robot that is back at a place stands a little beside it and looks a little to the left or
right: what each patch shows has moved by some cells of the grid, all by about as many. The
score of two pictures is how alike their tokens are at the shift at which they are most alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances

SECOND_LOOK = 20
"""Candidates that are looked at again: of the right places hardly any is further down."""

MOST_ROWS, MOST_COLUMNS = 2, 4
"""Cells by which pictures are shifted at most; a level camera nods less than it turns."""


@dataclass(frozen=True)
class TokenScores:
    """
    How a query's tokens agree with those of some places.

    :ivar scores: share of equal bits at the best shift, 0..1, ``[K]``; about 0.5 by chance.
    :ivar columns: by how many cells what the query shows lies further left than in the
        place, ``[K]``: positive where the query's camera is turned to the right of it.
    :ivar rows: by how many cells it lies further up, ``[K]``.
    :ivar backgrounds: share of bits that differ at the median shift, ``[K]``: walls and skies
        agree wherever they are shifted to, which is no sign of the place.
    :ivar contrasts: by how many deviations among the K places a token is nearer to what it falls
        on than to what it falls on in the others, on average and never below 0, ``[K]``: what all
        of them show tells none from another.
    """

    scores: NDArray[np.float64]
    columns: NDArray[np.float64]
    rows: NDArray[np.float64]
    backgrounds: NDArray[np.float64]
    contrasts: NDArray[np.float64]

    @property
    def compared(self) -> NDArray[np.float64]:
        """Return backgrounds and contrasts, ``[K, 2]``."""
        return np.stack([self.backgrounds, self.contrasts], axis=1)


class TokenComparison:
    """
    Compares pictures on a grid of tokens.

    :param grid: rows and columns of the tokens.
    :param most_rows: largest shift.
    :param most_columns: largest shift.
    :raises ValueError: the grid is empty.
    """

    def __init__(self, grid: tuple[int, int], most_rows: int = MOST_ROWS,
                 most_columns: int = MOST_COLUMNS) -> None:
        """List the shifts."""
        if min(grid) <= 0:
            raise ValueError(f'a grid of {grid[0]}x{grid[1]} tokens holds none')
        self.grid = grid
        self._rows = np.arange(-min(most_rows, grid[0] - 1), min(most_rows, grid[0] - 1) + 1)
        self._columns = np.arange(-min(most_columns, grid[1] - 1),
                                  min(most_columns, grid[1] - 1) + 1)

    def __call__(self, query: NDArray[np.uint8], places: NDArray[np.uint8]) -> TokenScores:
        """
        Compare a query with places.

        Each token of the query is compared with the cell of the place that it falls on and
        the eight around it, and the best of the nine counts: parallax moves near and far
        things by different amounts. Where the pictures lie to each other is told by the
        exact cells, refined by a parabola through the best shift and its neighbours.

        :param query: tokens, uint8 ``[rows*columns, bits / 8]``.
        :param places: of each place, uint8 ``[K, rows*columns, bits / 8]``.
        :raises ValueError: shapes or types do not fit.
        """
        rows, columns = self.grid
        if (query.dtype != np.uint8 or places.dtype != np.uint8 or query.ndim != 2
                or len(query) != rows * columns or places.shape[1:] != query.shape):
            raise ValueError(f'tokens must be uint8 [{rows * columns}, bytes] and [K, '
                             f'{rows * columns}, bytes], not {query.dtype} {query.shape} and '
                             f'{places.dtype} {places.shape}')
        bits = 8 * query.shape[1]
        table = hamming_distances(places.reshape(-1, query.shape[1]), query)
        small = np.uint8 if bits < 256 else np.uint16
        apart = table.astype(small).reshape(-1, rows, columns, rows, columns)
        nearest = _nearest_of_nine(apart)
        exact, near = self._means(apart), self._means(nearest)
        near = near.reshape(len(places), len(self._rows) * len(self._columns))
        best, least = near.argmin(1), near.min(1)
        return TokenScores(1.0 - least / bits, *self._shift(exact), np.median(near, 1) / bits,
                           _contrasts(*self._at_best(nearest, best)))

    def _means(self, apart: NDArray[np.integer]) -> NDArray[np.float64]:
        """
        Return the mean distance over the overlap at each shift.

        :param apart: ``[K, place row, place column, query row, query column]``.
        :returns: ``[K, row shifts, column shifts]``.
        """
        means = np.empty((len(apart), len(self._rows), len(self._columns)))
        for i, j in np.ndindex(means.shape[1:]):
            overlap = self._overlap(apart, self._rows[i], self._columns[j])
            height, width = overlap.shape[1:]
            means[:, i, j] = overlap.sum((1, 2), dtype=np.int32) / (height * width)
        return means

    def _overlap(self, apart: NDArray[np.integer], down: int, right: int) -> NDArray[np.integer]:
        """Return ``[K, height, width]``: tokens against the cells that they fall on."""
        rows, columns = self.grid
        picture, *steps = apart.strides
        first = apart[:, max(down, 0):, max(right, 0):, max(-down, 0):, max(-right, 0):]
        return as_strided(first, (len(apart), rows - abs(down), columns - abs(right)),
                          (picture, steps[0] + steps[2], steps[1] + steps[3]), writeable=False)

    def _at_best(self, apart: NDArray[np.integer], best: NDArray[np.int64]
                 ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """
        Return what each token of the query meets at the best shift of each place.

        :param apart: ``[K, place row, place column, query row, query column]``.
        :param best: shift of each place, ``[K]``.
        :returns: bits, and whether the token falls on a cell at all, ``[K, rows, columns]``.
        """
        rows, columns = self.grid
        bits = np.zeros((len(apart), rows, columns))
        inside = np.zeros(bits.shape, bool)
        for shift in np.unique(best):
            down, right = (int(axis[i]) for axis, i in zip(
                (self._rows, self._columns), divmod(int(shift), len(self._columns))))
            which = best == shift
            part = (which, slice(max(-down, 0), rows - max(down, 0)),
                    slice(max(-right, 0), columns - max(right, 0)))
            bits[part], inside[part] = self._overlap(apart, down, right)[which], True
        return bits, inside

    def _shift(self, means: NDArray[np.float64]
               ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return columns and rows of the smallest mean distance, to parts of a cell."""
        count, height, width = means.shape
        # Where a picture shows nothing all shifts are alike: then there is none.
        far = 1e-6 * (self._rows[:, None] ** 2 + self._columns ** 2)
        i, j = np.divmod((means + far).reshape(count, height * width).argmin(1), width)
        pictures = np.arange(count)
        return (self._columns[j] + _vertex(means[pictures, i], j),
                self._rows[i] + _vertex(means[pictures, :, j], i))


def _nearest_of_nine(apart: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the smallest distance among a place's cell and its neighbours."""
    across = apart.copy()
    np.minimum(across[:, :, 1:], apart[:, :, :-1], out=across[:, :, 1:])
    np.minimum(across[:, :, :-1], apart[:, :, 1:], out=across[:, :, :-1])
    near = across.copy()
    np.minimum(near[:, 1:], across[:, :-1], out=near[:, 1:])
    np.minimum(near[:, :-1], across[:, 1:], out=near[:, :-1])
    return near


def _contrasts(bits: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """
    Return what tokens tell a place from the others by, see `TokenScores`.

    :param bits: at the best shift of each place, 0 where not inside, ``[K, rows, columns]``.
    :param inside: whether a token falls on the place.
    """
    count = np.maximum(inside.sum(0), 1)
    mean = bits.sum(0) / count
    deviation = np.sqrt((inside * (bits - mean) ** 2).sum(0) / count)
    # A bit more than the deviation: tokens that all places have would weigh without end.
    nearer = inside * np.maximum(mean - bits, 0.0) / (deviation + 1.0)
    return np.asarray(nearer.sum((1, 2)) / inside.sum((1, 2)))


def _vertex(values: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    Return how far beside the smallest value the vertex of a parabola lies, -0.5..0.5.

    :param values: ``[K, shifts]``.
    :param at: index of the smallest, ``[K]``; at either end nothing is refined.
    """
    pictures = np.arange(len(values))
    inside = (at > 0) & (at < values.shape[1] - 1)
    before, here, after = (values[pictures, np.clip(at + step, 0, values.shape[1] - 1)]
                           for step in (-1, 0, 1))
    bend = before - 2 * here + after
    return np.where(inside & (bend > 0), (before - after) / (2 * np.maximum(bend, 1e-9)), 0.0)
