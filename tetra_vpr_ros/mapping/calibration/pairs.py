# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of the same and of different places, counted as they are found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tetra_vpr_ros.mapping.calibration.scores import (
    count_bits, moments, SCORE_EDGES, score_histogram)
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.places import PlaceTable

OTHER_WAY = 90.0
"""Views turned by more than this (degrees) show nothing of each other, wherever they stand."""

SAME_HEADING = np.cos(np.radians(20.0) / 2)
"""Product of quaternions from which two places look the same way."""

_APART = np.cos(np.radians(OTHER_WAY) / 2)

Best = tuple[float, float, int]


def differ(metres: NDArray[np.float64], alike: NDArray[np.float64], far: float
           ) -> NDArray[np.bool_]:
    """
    Tell which pairs are different places.

    :param metres: between them.
    :param alike: absolute products of their quaternions, see `OTHER_WAY`.
    :param far: metres from which places differ, see `Calibration`.
    """
    return (metres > far) | (alike < _APART)


class Pairs:
    """
    What has been seen of the pairs so far.

    Nearly all places of a map are different ones. So all are counted by their distances in
    bits, and those beside the place that asks, which a tree finds, are taken off: of a million
    places a few are looked at.

    :param table: the map's places.
    :param asked: places that ask.
    :param leave_out: they are the map's own, and do not count for themselves.
    :param near: metres up to which places are the same.
    :param far: metres from which they are different ones.
    :ivar apart: how many pairs of different places are 0, 1, 2 … bits apart.
    :ivar nearest: how many places have their nearest different place 0, 1, 2 … bits away.
    :ivar different: histogram of the scores of different places.
    :ivar within: score, metres and bits of the best true place of each that asked.
    :ivar across: likewise of the best on another traverse.
    """

    def __init__(self, table: PlaceTable, asked: PlaceTable, leave_out: bool, near: float,
                 far: float) -> None:
        """Count nothing yet."""
        self._table, self._asked, self._leave_out = table, asked, leave_out
        self._near, self._far = near, far
        self._tree = cKDTree(table.positions)
        size = table.descriptors.shape[1] * 8 + 1
        self.apart = np.zeros(size, np.int64)
        self.nearest = np.zeros(size, np.int64)
        self.different = np.zeros(len(SCORE_EDGES) - 1, np.int64)
        self.within: list[Best] = []
        self.across: list[Best] = []

    def add(self, rows: NDArray[np.int64]) -> None:
        """
        Compare some of the asked places with all.

        :param rows: of those places, ``[k]``.
        """
        bits = hamming_distances(self._asked.descriptors[rows], self._table.descriptors)
        for row, distances in zip(rows.tolist(), bits):
            self._add(row, distances)

    def _add(self, row: int, bits: NDArray[np.int32]) -> None:
        table, asked = self._table, self._asked
        # A little more than is asked for: the tree rounds otherwise.
        reach = 1.001 * max(self._near, self._far)
        beside = np.sort(self._tree.query_ball_point(asked.positions[row], reach)).astype(int)
        metres = np.linalg.norm(table.positions[beside] - asked.positions[row], axis=1)
        alike = np.abs(table.quaternions[beside] @ asked.quaternions[row])
        counts = count_bits(bits, len(self.apart))
        apart = counts - count_bits(bits[beside[~differ(metres, alike, self._far)]],
                                    len(counts))
        if self._leave_out:
            counts[bits[row]] -= 1
        mean, deviation = moments(counts)
        self.apart += apart
        if apart.any():
            self.nearest[np.argmax(apart > 0)] += 1
        scores = (mean - np.arange(len(counts))) / deviation
        self.different += score_histogram(scores, apart)
        same = (metres <= self._near) & (alike >= SAME_HEADING)
        if self._leave_out:
            same &= beside != row
        # A drive that is not in the map has numbers of its own.
        elsewhere = (table.sessions[beside] != asked.sessions[row]) | (not self._leave_out)
        for chosen, into in ((same, self.within), (same & elsewhere, self.across)):
            if chosen.any():
                found = np.flatnonzero(chosen)
                best = found[np.argmin(bits[beside[found]])]
                distance = int(bits[beside[best]])
                into.append((float(scores[distance]), float(metres[best]), distance))
