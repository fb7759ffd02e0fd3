# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The plan of a map: its traverses as lines, thin enough to be drawn many times a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import Session

_DRAWN = 6000  # points in all
_GAP = 5.0     # usual steps between places from which a line is broken


def plan_of_map(place_map: PlaceMap) -> dict[str, Any]:
    """
    Return the plan of an open map.

    :raises MapError: it cannot be read.
    """
    table = place_map.places()
    return plan(table.positions[:, :2], table.sessions, place_map.sessions(),
                place_map.frame_id)


def plan(points: NDArray[np.float64], sessions: NDArray[np.int64] | None = None,
         named: Sequence[Session] = (), frame: str = 'map') -> dict[str, Any]:
    """
    Return a plan, as JSON has it.

    :param points: x and y of places in the order of the drive, metres, ``[n, 2]``.
    :param sessions: number of each one's traverse; None where that is not known.
    :param named: the traverses.
    :param frame: of the map.
    :returns: ``places`` counts them, ``frame``, and ``traverses``, each with its ``name``, and
        ``x`` and ``y`` with None where a line is broken.
    """
    numbers = np.zeros(len(points), np.int64) if sessions is None else sessions
    names = {session.number: session.source for session in named}
    thin = max(1, -(-len(points) // _DRAWN))
    lines = [{'name': names.get(int(number), ''), **_line(points[numbers == number], thin)}
             for number in np.unique(numbers)]
    return {'places': len(points), 'frame': frame, 'traverses': lines}


def _line(points: NDArray[np.float64], thin: int) -> dict[str, list[float | None]]:
    """Return the points of one traverse, each n-th and the ends of its stretches."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    usual = float(np.median(steps)) if len(steps) else 0.0
    breaks = np.flatnonzero(steps > max(_GAP * usual, 1e-9)) + 1
    x: list[float | None] = []
    y: list[float | None] = []
    for stretch in np.split(points, breaks):
        kept = np.unique(np.append(np.arange(0, len(stretch), thin), len(stretch) - 1))
        x += [*stretch[kept, 0].round(3).tolist(), None]
        y += [*stretch[kept, 1].round(3).tolist(), None]
    return {'x': x[:-1], 'y': y[:-1]}
