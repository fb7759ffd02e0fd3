# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The ways that were driven: stretches, those in one direction only, and gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tetra_vpr_ros.mapping.calibration import SAME_WAY
from tetra_vpr_ros.mapping.map.places import PlaceTable

_OPPOSITE = np.cos(np.radians(120.0) / 2)  # product of quaternions, below which views oppose
_BESIDE = 3.0       # spacings within which another pass shows the same way
_HOLE = 3           # places that may interrupt a stretch
_SHORTEST = 10.0    # spacings below which a stretch is not worth a drive
_GAP = 2.0          # keyframe distances, beyond which places are missing
_AT_ONCE = 2000     # places whose neighbours are in memory

_Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """
    Places that follow each other on one drive.

    :ivar rows: of the table, ascending.
    :ivar metres: from the first to the last, along the way.
    """

    rows: _Rows
    metres: float


@dataclass(frozen=True)
class Gap:
    """
    Two places that follow each other on a drive with none between them on any.

    :ivar before: row of the table.
    :ivar after: row of the table.
    :ivar metres: between them.
    """

    before: int
    after: int
    metres: float


def driven(table: PlaceTable) -> float:
    """Return the length of all drives, metres."""
    steps = np.linalg.norm(np.diff(table.positions, axis=0), axis=1)
    return float(steps[np.diff(table.sessions) == 0].sum())


def stretches(table: PlaceTable, rows: _Rows, hole: int = _HOLE) -> list[Stretch]:
    """
    Join places to stretches.

    :param table: the map's places.
    :param rows: of those in question, ascending.
    :param hole: rows that may be missing between two of a stretch.
    :returns: the longest first.
    """
    if not len(rows):
        return []
    apart = (np.diff(rows) > hole + 1) | (np.diff(table.sessions[rows]) != 0)
    made = []
    for part in np.split(rows, np.flatnonzero(apart) + 1):
        steps = np.diff(table.positions[part[0]:part[-1] + 1], axis=0)
        made.append(Stretch(part, float(np.linalg.norm(steps, axis=1).sum())))
    return sorted(made, key=lambda stretch: -stretch.metres)


def driven_one_way(table: PlaceTable, spacing: float) -> list[Stretch]:
    """
    Return the stretches that no drive passed in the other direction.

    A way that several drives passed in one direction is told once.

    :param table: the map's places.
    :param spacing: metres between places.
    :returns: the longest first; short ones are left out.
    """
    alone = np.zeros(len(table), bool)
    for row, near in _neighbours(table.positions, _BESIDE * spacing):
        turned = np.abs(table.quaternions[near] @ table.quaternions[row])
        earlier = near < row - 2 * _BESIDE
        known = (turned >= SAME_WAY) & (earlier | (
            (near < row) & (table.sessions[near] != table.sessions[row])))
        alone[row] = not known.any() and not (turned < _OPPOSITE).any()
    found = stretches(table, np.flatnonzero(alone))
    return [stretch for stretch in found if stretch.metres >= _SHORTEST * spacing]


def gaps(table: PlaceTable, keyframe_distance: float) -> list[Gap]:
    """
    Return where places are missing on a drive, and no other drive has them.

    :param table: the map's places.
    :param keyframe_distance: metres that were asked for between places.
    :returns: the longest first.
    """
    limit = _GAP * keyframe_distance
    steps = np.linalg.norm(np.diff(table.positions, axis=0), axis=1)
    wide = np.flatnonzero((steps > limit) & (np.diff(table.sessions) == 0))
    tree, found = cKDTree(table.positions), []
    for row in wide:
        shares = np.arange(limit / 2, steps[row], limit / 2) / steps[row]
        between = table.positions[row] + shares[:, None] * (
            table.positions[row + 1] - table.positions[row])
        ends = np.minimum(shares, 1 - shares) * steps[row]
        empty = tree.query(between)[0] >= np.minimum(ends, limit / 2) - 1e-6
        if empty.any():
            found.append(Gap(int(row), int(row) + 1, float(steps[row])))
    return sorted(found, key=lambda gap: -gap.metres)


def _neighbours(positions: NDArray[np.float64], radius: float) -> Iterator[tuple[int, _Rows]]:
    """Yield each row and those within some metres of it."""
    tree = cKDTree(positions)
    for first in range(0, len(positions), _AT_ONCE):
        for row, near in enumerate(tree.query_ball_point(
                positions[first:first + _AT_ONCE], radius), first):
            yield row, np.array(near, np.int64)
