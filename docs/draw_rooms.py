# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Draws the rooms of the package from what its files really import."""

from collections import Counter
from pathlib import Path
import sys

import grimp
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

PACKAGE = 'tetra_vpr_ros'
PLACES = {'vision': (0, 1), 'mapping': (1, 1), 'localization': (2, 1), 'nodes': (3, 1),
          'training': (0, 0), 'evaluation': (2, 0), 'simulation': (3, 0)}


def read_rooms():
    """Return the imports between rooms, and for each room its modules and other packages."""
    graph = grimp.build_graph(PACKAGE, include_external_packages=True)
    rooms = {name.split('.')[1] for name in graph.find_children(PACKAGE)}
    arrows = Counter()
    modules, packages = Counter(), {room: set() for room in rooms}
    for module in graph.modules:
        parts = module.split('.')
        if parts[0] != PACKAGE or len(parts) < 2:
            continue
        modules[parts[1]] += len(parts) > 2
        for other in graph.find_modules_directly_imported_by(module):
            target = other.split('.')
            if target[0] != PACKAGE:
                packages[parts[1]].add(target[0])
            elif len(target) > 1 and target[1] != parts[1]:
                arrows[parts[1], target[1]] += 1
    return arrows, modules, packages


def draw_rooms(folder: Path) -> None:
    """
    Write ``rooms.svg`` and a table, ``rooms.md``.

    :param folder: to write into; it is made.
    :raises RuntimeError: a room has no place in the picture.
    """
    arrows, modules, packages = read_rooms()
    if set(modules) != set(PLACES):
        raise RuntimeError(f'the picture does not know the rooms {set(modules) ^ set(PLACES)}')
    folder.mkdir(exist_ok=True)
    figure = Figure(figsize=(9, 3.6))
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    for (one, other), count in sorted(arrows.items()):
        begin, end = PLACES[one], PLACES[other]
        axes.annotate('', end, begin, arrowprops={
            'arrowstyle': '-|>', 'color': 'tab:gray', 'linewidth': 0.6 + count / 12,
            'shrinkA': 34, 'shrinkB': 34, 'connectionstyle': 'arc3,rad=0.16'})
    for room, (x, y) in PLACES.items():
        axes.text(x, y, f'{room}\n{modules[room]} files', ha='center', va='center', bbox={
            'boxstyle': 'round,pad=0.5', 'facecolor': 'white', 'edgecolor': 'tab:blue'})
    axes.set(xlim=(-0.5, 3.5), ylim=(-0.5, 1.5))
    axes.axis('off')
    figure.savefig(folder / 'rooms.svg', metadata={'Date': None})
    lines = ['| room | files | imports of other rooms | other packages |', '|---|---|---|---|']
    for room in PLACES:
        taken = ', '.join(f'{other} ({count})' for (one, other), count in sorted(arrows.items())
                          if one == room)
        outside = ', '.join(sorted(packages[room] - sys.stdlib_module_names))
        lines.append(f'| {room} | {modules[room]} | {taken or "none"} | {outside} |')
    (folder / 'rooms.md').write_text('\n'.join(lines) + '\n')
