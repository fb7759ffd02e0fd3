# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How distinct places look, quickly: from their descriptors alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tetra_vpr_ros.mapping.calibration.descriptors import Calibration
from tetra_vpr_ros.mapping.calibration.pairs import differ
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.places import evenly, PlaceTable

_PAIRS = 4_000_000    # compared in all: some 0.2 s, however large the map is
_AT_ONCE = 500_000    # pairs that are held at a time


def distinctiveness(table: PlaceTable, rows: NDArray[np.int64], calibration: Calibration
                    ) -> NDArray[np.float64]:
    """
    Return how distinct places look, 0..1.

    At 0 a different place looks as much like it as its own neighbour does, at 1 the different
    place that is most like it looks like any other one.

    :param table: all places.
    :param rows: of the places that are asked for; of a large map they are compared with an
        even choice of its places, so that a look-alike may be missed.
    :param calibration: of the map.
    :returns: float64 ``[len(rows)]``.
    """
    others = evenly(len(table), max(1, _PAIRS // max(1, len(rows))))
    nearest = np.empty(len(rows))
    most = table.descriptors.shape[1] * 8
    tree = cKDTree(table.positions[others])
    for part in np.array_split(np.arange(len(rows)), -(-len(rows) * len(others) // _AT_ONCE)):
        bits = hamming_distances(table.descriptors[rows[part]], table.descriptors[others])
        # Few pairs are near each other: only those can be the same place.
        near = tree.query_ball_point(table.positions[rows[part]], calibration.far)
        asked = np.repeat(np.arange(len(part)), [len(found) for found in near])
        beside = np.concatenate([np.empty(0, np.int64), *map(np.array, near)]).astype(np.int64)
        first, second = rows[part][asked], others[beside]
        metres = np.linalg.norm(table.positions[first] - table.positions[second], axis=1)
        alike = np.abs((table.quaternions[first] * table.quaternions[second]).sum(axis=1))
        same = ~differ(metres, alike, calibration.far)
        bits[asked[same], beside[same]] = most
        nearest[part] = bits.min(axis=1)
    pairs = np.cumsum(calibration.pairs)
    usual = float(np.searchsorted(pairs, pairs[-1] / 2))
    same_bits = min(calibration.step_bits, usual - 1.0)
    return np.asarray(np.clip((nearest - same_bits) / (usual - same_bits), 0.0, 1.0))
