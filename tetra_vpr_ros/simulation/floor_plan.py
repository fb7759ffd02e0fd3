# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The free space of a level as a raster, from its sector lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from tetra_vpr_ros.simulation.level import Pose2D, Sector

HEADROOM = 56 / 32  # the player is 56 units high
STEP = 24 / 32      # and climbs 24


@dataclass(frozen=True)
class FloorPlan:
    """
    Raster of a level.

    :ivar origin: x and y of the centre of cell (0, 0), metres.
    :ivar cell: side of a cell, metres.
    :ivar free: bool ``[rows, cols]``, reachable from the start without a jump.
    :ivar clearance: float32 ``[rows, cols]``, metres to the next obstacle.
    :ivar walls: float64 ``[n, 4]``, x1 y1 x2 y2 of blocking lines, metres.
    """

    origin: tuple[float, float]
    cell: float
    free: NDArray[np.bool_]
    clearance: NDArray[np.float32]
    walls: NDArray[np.float64]

    def to_cell(self, x: float, y: float) -> tuple[int, int]:
        """Return row and column of a point."""
        return (int(round((y - self.origin[1]) / self.cell)),
                int(round((x - self.origin[0]) / self.cell)))

    def to_point(self, row: float, col: float) -> tuple[float, float]:
        """Return x and y of the centre of a cell."""
        return self.origin[0] + col * self.cell, self.origin[1] + row * self.cell

    def clearance_at(self, x: float, y: float) -> float:
        """Return metres to the next obstacle; 0 outside free space."""
        row, col = self.to_cell(x, y)
        if not (0 <= row < self.free.shape[0] and 0 <= col < self.free.shape[1]):
            return 0.0
        return float(self.clearance[row, col]) if self.free[row, col] else 0.0


def _sector_heights(sectors: Sequence[Sector], origin: tuple[float, float], cell: float,
                    shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rasterise floor and ceiling: even-odd fill of each sector's unordered lines."""
    floor = np.full(shape, np.nan)
    ceiling = np.full(shape, np.nan)
    ys = origin[1] + np.arange(shape[0]) * cell
    xs = origin[0] + np.arange(shape[1]) * cell
    for sector in sectors:
        if not len(sector.lines):
            continue
        x1, y1, x2, y2 = sector.lines.T
        first, last = np.searchsorted(ys, [min(y1.min(), y2.min()), max(y1.max(), y2.max())])
        for row in range(int(first), min(int(last), shape[0])):
            y = ys[row]
            cut = (y1 <= y) != (y2 <= y)
            crossings = np.sort(x1[cut] + (y - y1[cut]) / (y2[cut] - y1[cut]) * (x2 - x1)[cut])
            bounds = np.searchsorted(xs, crossings)
            for a, b in zip(bounds[::2], bounds[1::2]):
                floor[row, a:b] = sector.floor
                ceiling[row, a:b] = sector.ceiling
    return floor, ceiling


def build_floor_plan(sectors: Sequence[Sector], start: Pose2D, cell: float = 0.25) -> FloorPlan:
    """
    Find where a robot can drive.

    A cell is free when it lies in a sector with headroom and no blocking line
    crosses it; neighbours are connected when the step between them can be
    climbed in both directions; what the start does not reach is not free.

    :param sectors: of the level.
    :param start: a pose in free space.
    :param cell: raster size, metres.
    """
    lines = np.concatenate([sector.lines for sector in sectors])
    blocking = np.concatenate([sector.blocking for sector in sectors])
    walls = lines[blocking]
    low = np.minimum(lines[:, :2].min(0), lines[:, 2:].min(0)) - 2 * cell
    high = np.maximum(lines[:, :2].max(0), lines[:, 2:].max(0)) + 2 * cell
    cols, rows = (int(n) for n in np.ceil((high - low) / cell)[:2] + 1)
    origin = (float(low[0]), float(low[1]))
    floor, ceiling = _sector_heights(sectors, origin, cell, (rows, cols))
    blocked = ~(ceiling - floor >= HEADROOM)  # NaN (outside) is blocked, too

    # A ledge is an obstacle: mark cells whose floor jumps against a neighbour's.
    for axis in (0, 1):
        jump = np.abs(np.diff(floor, axis=axis)) > STEP
        near, far = [slice(None)] * 2, [slice(None)] * 2
        near[axis], far[axis] = slice(0, -1), slice(1, None)
        blocked[tuple(near)] |= jump
        blocked[tuple(far)] |= jump
    canvas = blocked.astype(np.uint8)
    shift = 8  # sub-cell precision of cv2.line
    points = np.round((walls.reshape(-1, 2) - low) / cell * (1 << shift)).astype(int)
    for a, b in points.reshape(-1, 2, 2):
        cv2.line(canvas, tuple(map(int, a)), tuple(map(int, b)), 1, 1, cv2.LINE_8, shift)
    clearance = cv2.distanceTransform(1 - canvas, cv2.DIST_L2, 5).astype(np.float32) * cell
    labels, _ = ndimage.label(clearance > 0.5)  # a robot of 1 m width
    plan = FloorPlan(origin, cell, labels > 0, clearance, walls)
    row, col = plan.to_cell(start.x, start.y)
    candidates = np.argwhere(labels > 0)
    if not len(candidates):
        return plan
    nearest = candidates[np.argmin(((candidates - [row, col]) ** 2).sum(1))]
    return FloorPlan(origin, cell, labels == labels[tuple(nearest)], clearance, walls)
