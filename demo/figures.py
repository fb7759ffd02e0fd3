# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The two pictures of the demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.simulation.floor_plan import FloorPlan

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Match:
    """An accepted match: where the robot was and where it was said to be."""

    stamp_ns: int
    truth: tuple[float, float]
    estimate: tuple[float, float]

    @property
    def error(self) -> float:
        """Return the distance between the two, metres."""
        return float(np.hypot(self.truth[0] - self.estimate[0], self.truth[1] - self.estimate[1]))


def draw_trajectory(path: Path, plan: FloorPlan, mapping: Points, second: Points,
                    matches: Sequence[Match], wrong_from: float, title: str) -> None:
    """
    Draw floor plan, both laps and the matches as lines, wrong ones red.

    :param path: PNG to write.
    :param plan: of the level.
    :param mapping: ``[n, 2]`` positions of the mapping lap.
    :param second: ``[m, 2]`` true positions of the second lap.
    :param matches: accepted matches.
    :param wrong_from: metres from which a match is wrong.
    :param title: above the picture.
    """
    figure = Figure(figsize=(11, 8))
    FigureCanvasAgg(figure)  # no display is needed
    axes = figure.add_subplot()
    axes.add_collection(LineCollection(list(plan.walls.reshape(-1, 2, 2)), colors='0.75', lw=0.6))
    axes.plot(*mapping.T, color='tab:blue', lw=1.5, label='mapping lap')
    axes.plot(*second.T, color='tab:orange', lw=1.5, label='second lap (truth)')
    wrong = [m for m in matches if m.error > wrong_from]
    right = [m for m in matches if m.error <= wrong_from]
    for group, colour, width, label in (
            (right, 'tab:green', 0.8, 'match'),
            (wrong, 'red', 1.2, f'wrong match (> {wrong_from:g} m)')):
        lines = [[m.truth, m.estimate] for m in group]
        axes.add_collection(LineCollection(lines, colors=colour, lw=width,
                                           label=f'{label}: {len(group)}'))
    both = np.vstack([mapping, second])
    low, high = both.min(0) - 4, both.max(0) + 4
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect='equal',
             xlabel='x [m]', ylabel='y [m]', title=title)
    axes.legend(loc='best')
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def draw_matches(path: Path, rows: Sequence[tuple[Sequence[NDArray[np.uint8]], str]]) -> None:
    """Draw pictures side by side, two rows in one, each with a line of text."""
    tiles = []
    for pictures, text in rows:
        pair = np.hstack([cv2.resize(image, (320, 240), interpolation=cv2.INTER_AREA)
                          for image in pictures])
        pair = cv2.copyMakeBorder(pair, 0, 26, 0, 8, cv2.BORDER_CONSTANT, value=(255,) * 3)
        cv2.putText(pair, text, (6, 259), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1,
                    cv2.LINE_AA)
        tiles.append(pair)
    if not tiles:
        return
    if len(tiles) % 2:
        tiles.append(np.full_like(tiles[0], 255))
    picture = np.vstack([np.hstack(tiles[i:i + 2]) for i in range(0, len(tiles), 2)])
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
