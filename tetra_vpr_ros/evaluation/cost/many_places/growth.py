# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How the cost of a frame grows with the places of the map, drawn in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import tempfile
from typing import Any

from tetra_vpr_ros.evaluation.cost.machine import hardware
from tetra_vpr_ros.evaluation.cost.many_places.cell_search import measure_cell_search
from tetra_vpr_ros.evaluation.cost.many_places.large_map import LOCALIZERS, measure_large_map

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)

_CELLS = 100_000  # places below which nobody would put them into cells

_LINES = (  # what is drawn: key, name, colour, mark
    ('single', "a frame of 'single'", 'tab:green', 'o-'),
    ('bayes', "a frame of 'bayes'", 'tab:blue', 'o-'),
    ('bayes with odometry', "a frame of 'bayes' with odometry", 'tab:cyan', 'o-'),
    ('flat_ms', 'search, all places', 'tab:orange', 's--'),
    ('cells_ms', 'search in cells', 'tab:red', 's--'))


def measure_growth(folder: Path, bits: int, sizes: Sequence[int] = SIZES) -> dict[str, object]:
    """
    Measure maps of several sizes on one core; the largest takes an hour and 6 GB of the disk.

    :param folder: for maps and cells, one at a time.
    :param bits: of a descriptor.
    :param sizes: places of the maps.
    :returns: ``hardware``, and the list ``maps``: of each what `measure_large_map` and
        `measure_cell_search` tell.
    """
    maps: list[dict[str, object]] = []
    for places in sizes:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            found = measure_large_map(Path(name), places, bits, LOCALIZERS)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            maps.append({**found, 'search': measure_cell_search(Path(name), places, bits)})
    return {'hardware': hardware(1), 'maps': maps}


def draw_growth(report: dict[str, object], path: Path) -> None:
    """Draw milliseconds against places as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    maps: Any = report['maps']
    figure = Figure(figsize=(6.6, 4.2))
    FigureCanvasAgg(figure)  # no display is needed
    axes = figure.subplots()
    for key, name, colour, mark in _LINES:
        points = [(found['places'], found['filters'][key]['frame_ms'] if key in found['filters']
                   else found['search'][key]) for found in maps
                  if key != 'cells_ms' or found['places'] >= _CELLS]
        if points:
            axes.plot(*zip(*points), mark, color=colour, label=name)
    axes.set(title=f"places of {maps[0]['bits']} bits, one core, without the encoder",
             xlabel='places in the map', ylabel='p50 [ms]', xscale='log', yscale='log')
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
