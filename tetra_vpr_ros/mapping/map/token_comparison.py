# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The second look: how well two pictures' patch tokens agree, shifted over each other.

A robot that is back at a place stands a little beside it and looks a little to the left or
right: what each patch shows has moved by some cells of the grid, all by about as many. The
score of two pictures is how alike their tokens are at the shift at which they are most alike.

Which of several places is the right one is also told by tokens that move together: walls and
floors come nearer in one piece, and what agrees by chance is no piece of anything. So distances
are averaged over neighbours that move alike before each token takes its best displacement (cost
aggregation, D. Scharstein and R. Szeliski, IJCV 2002, section 4).
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

_REACH = 2  # cells about the shift that a token and its neighbours may move by


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
    :ivar contrasts: by how many deviations among the K places a piece of the picture, a token
        and those about it, is nearer to where it fits best than in the others, on average and
        never below 0, ``[K]``: what all of them show tells none from another.
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
        self._row_shares, self._column_shares = (
            _neighbour_shares(size, int(steps[-1]) + _REACH)
            for size, steps in zip(grid, (self._rows, self._columns)))

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
        apart = self._apart(query, places)
        near = self._near(apart, 8 * query.shape[1])
        return TokenScores(1.0 - near.min(1), *self._shift(self._means(apart)),
                           np.median(near, 1), _contrasts(*self._in_pieces(apart, near.argmin(1))))

    def scores(self, query: NDArray[np.uint8], places: NDArray[np.uint8]) -> NDArray[np.float64]:
        """
        Return only the scores, see `TokenScores`, for a third of the work.

        :param query: see `__call__`.
        :param places: likewise.
        :raises ValueError: shapes or types do not fit.
        """
        near = self._near(self._apart(query, places), 8 * query.shape[1])
        return np.asarray(1.0 - near.min(1))

    def _apart(self, query: NDArray[np.uint8], places: NDArray[np.uint8]) -> NDArray[np.integer]:
        """Return bits, ``[K, place row, place column, query row, query column]``."""
        rows, columns = self.grid
        if (query.dtype != np.uint8 or places.dtype != np.uint8 or query.ndim != 2
                or len(query) != rows * columns or places.shape[1:] != query.shape):
            raise ValueError(f'tokens must be uint8 [{rows * columns}, bytes] and [K, '
                             f'{rows * columns}, bytes], not {query.dtype} {query.shape} and '
                             f'{places.dtype} {places.shape}')
        apart = np.empty((len(places), *self.grid, *self.grid),
                         np.uint8 if query.shape[1] < 32 else np.uint16)
        # One at a time: distances are computed in words four times as large.
        for place, tokens in zip(apart, places):
            place[:] = hamming_distances(tokens, query).reshape(place.shape)
        return apart

    def _near(self, apart: NDArray[np.integer], bits: int) -> NDArray[np.float64]:
        """Return the share of bits that differ at each shift from the best of nine cells."""
        means = self._means(_nearest_of_nine(apart))
        return means.reshape(len(apart), len(self._rows) * len(self._columns)) / bits

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

    def _in_pieces(self, apart: NDArray[np.integer], best: NDArray[np.int64]
                   ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """
        Return how far each token of the query is, with its neighbours, from where they fit best.

        :param apart: ``[K, place row, place column, query row, query column]``.
        :param best: shift of each place, ``[K]``.
        :returns: bits about that shift, 0 for a token that falls beside the place there, and
            whether it falls on the place, ``[K, rows, columns]``.
        """
        (rows, columns), span = self.grid, np.arange(2 * _REACH + 1)
        down, right = (axis[at] for axis, at in zip(
            (self._rows, self._columns), np.divmod(best, len(self._columns))))
        low, left = int(self._rows[-1]) + _REACH, int(self._columns[-1]) + _REACH
        # One place at a time: a copy of all with a margin would not stay in the cache.
        padded = np.zeros((rows + 2 * low, columns + 2 * left, rows, columns), apart.dtype)
        steps = padded.strides
        moved = np.empty((len(apart), len(span), len(span), rows, columns), np.uint16)
        for place, (i, j) in enumerate(zip(down + low - _REACH, right + left - _REACH)):
            padded[low:low + rows, left:left + columns] = apart[place]
            moved[place] = as_strided(
                padded[i:, j:], moved.shape[1:],
                (*steps[:2], steps[0] + steps[2], steps[1] + steps[3]), writeable=False)
        by_rows = self._row_shares[(down + low - _REACH)[:, None] + span]
        by_columns = self._column_shares[(right + left - _REACH)[:, None] + span]
        shares = by_rows[:, :, None, :, None] * by_columns[:, None, :, None, :]
        inside = shares[:, _REACH, _REACH] > 0
        bits = np.multiply(_with_neighbours(_with_neighbours(moved, -1), -2), shares,
                           dtype=np.float32)
        bits[shares == 0] = np.inf
        return np.where(inside, bits.min((1, 2)), np.float32(0)), inside

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


def _neighbour_shares(size: int, most: int) -> NDArray[np.float32]:
    """
    Return of each displacement what share each neighbour has in a mean along one axis.

    :param size: cells along the axis.
    :param most: largest displacement.
    :returns: one by the number of neighbours (itself included) that fall on the place, 0 where
        the cell itself does not, ``[2 * most + 1, size]``.
    """
    to = np.arange(size) + np.arange(-most, most + 1)[:, None]
    inside = ((to >= 0) & (to < size)).astype(np.uint16)
    count = _with_neighbours(inside, -1)
    return np.asarray(inside / np.maximum(count, 1), np.float32)


def _with_neighbours(values: NDArray[np.uint16], axis: int) -> NDArray[np.uint16]:
    """Return the sum of each value and the two beside it along an axis."""
    values = np.moveaxis(values, axis, 0)
    total = values.copy()
    total[1:] += values[:-1]
    total[:-1] += values[1:]
    return np.moveaxis(total, 0, axis)


def _contrasts(bits: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """
    Return what tells a place from the others, see `TokenScores`.

    :param bits: from each place, 0 where not inside, ``[K, rows, columns]``.
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
