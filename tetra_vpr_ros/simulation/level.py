# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a level is made of, and poses in it; read without the engine that renders it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = (*(f'map{n:02d}' for n in range(1, 33)),
          *(f'e{episode}m{n}' for episode in range(1, 5) for n in range(1, 10)))
"""Levels of Freedoom 2 and of Freedoom 1."""

CLASSES = ('sky', 'wall', 'floor', 'ceiling', 'scenery', 'movable')
"""What the numbers of `DoomWorld.segment` mean."""


class WorldError(RuntimeError):
    """The simulated world cannot be opened, or the camera cannot stand there."""


def level_name(text: str) -> str:
    """
    Return the name of a level as `LEVELS` has it.

    :param text: in letters of any case.
    :raises WorldError: there is no such level; the engine would silently open another.
    """
    if text.lower() not in LEVELS:
        raise WorldError(f'there is no level {text.lower()!r}: name one of map01 … map32 or '
                         'e1m1 … e4m9')
    return text.lower()


@dataclass(frozen=True)
class Pose2D:
    """Camera pose on the floor plan: metres and radians, counter-clockwise from x."""

    x: float
    y: float
    yaw: float


@dataclass(frozen=True)
class Sector:
    """One room of the level: heights in metres, lines ``[n, 4]`` (x1 y1 x2 y2) in metres."""

    floor: float
    ceiling: float
    lines: NDArray[np.float64]
    blocking: NDArray[np.bool_]
