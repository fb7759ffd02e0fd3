# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Draws rooms and wings of the package from what its files really import."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
import sys

import grimp
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

PACKAGE = 'tetra_vpr_ros'
# Where each box stands; imports mostly point to the left or downwards.
ROOMS = {'vision': (0, 1), 'mapping': (1, 1), 'localization': (2, 1), 'nodes': (3, 1),
         'training': (0, 0), 'evaluation': (2, 0), 'viewing': (1, 0), 'simulation': (3, 0)}
MAPPING = {'map': (0, 0), 'sources': (0, 1), 'building': (1, 1), 'tools': (2, 1),
           'calibration': (1, 0)}
TRAINING = {'network': (0, 0.5), 'data': (0.8, 1.3), 'teachers': (1.3, 0.7), 'loop': (1.9, 0),
            'onnx_export': (0.9, -0.3), 'structure': (2.4, 1.2), 'stages': (3, 0.4),
            'heads': (3.6, 0.9)}


@dataclass
class Imports:
    """
    What the folders of a package import of each other.

    :ivar arrows: how many imports lead from one folder to another.
    :ivar files: in each folder.
    :ivar others: packages outside of ours that each folder imports.
    """

    arrows: Counter
    files: Counter
    others: dict[str, set[str]]


def read_imports(package: str) -> Imports:
    """
    Read the imports between the folders of a package; single files beside them do not count.

    :param package: dotted name.
    """
    graph = grimp.build_graph(PACKAGE, include_external_packages=True)
    folders = {name.rpartition('.')[2] for name in graph.find_children(package)
               if graph.find_children(name)}

    def folder(module: str) -> str | None:
        name = module.removeprefix(f'{package}.').partition('.')[0]
        return name if name in folders and module.startswith(f'{package}.') else None

    found = Imports(Counter(), Counter(), {name: set() for name in folders})
    for module in graph.modules:
        own = folder(module)
        if own is None:
            continue
        found.files[own] += not graph.find_children(module)
        for other in graph.find_modules_directly_imported_by(module):
            target = folder(other)
            if target is not None and target != own:
                found.arrows[own, target] += 1
            if not other.startswith(PACKAGE):
                found.others[own].add(other.partition('.')[0])
    return found


def draw(imports: Imports, places: dict[str, tuple[float, float]], file: Path) -> None:
    """
    Draw folders as boxes and their imports as arrows.

    :param imports: of one package.
    :param places: of the boxes.
    :param file: SVG to write.
    :raises RuntimeError: a folder has no place in the picture.
    """
    if set(imports.files) != set(places):
        raise RuntimeError(f'{file.name} does not know {set(imports.files) ^ set(places)}')
    figure = Figure(figsize=(9, 3.6))
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    for (one, other), count in sorted(imports.arrows.items()):
        axes.annotate('', places[other], places[one], arrowprops={
            'arrowstyle': '-|>', 'color': 'tab:gray', 'linewidth': 0.6 + count / 12,
            'shrinkA': 34, 'shrinkB': 34, 'connectionstyle': 'arc3,rad=0.16'})
    for name, (x, y) in places.items():
        axes.text(x, y, f'{name}\n{imports.files[name]} files', ha='center', va='center', bbox={
            'boxstyle': 'round,pad=0.5', 'facecolor': 'white', 'edgecolor': 'tab:blue'})
    axes.set(xlim=(-0.5, max(x for x, _ in places.values()) + 0.5), ylim=(-0.5, 1.5))
    axes.axis('off')
    figure.savefig(file, metadata={'Date': None})


def draw_house(folder: Path) -> None:
    """
    Write ``rooms.svg``, ``mapping.svg`` and ``training.svg``, and a table, ``rooms.md``.

    :param folder: to write into; it is made.
    :raises RuntimeError: a room or wing has no place in its picture.
    """
    folder.mkdir(exist_ok=True)
    rooms = read_imports(PACKAGE)
    draw(rooms, ROOMS, folder / 'rooms.svg')
    draw(read_imports(f'{PACKAGE}.mapping'), MAPPING, folder / 'mapping.svg')
    draw(read_imports(f'{PACKAGE}.training'), TRAINING, folder / 'training.svg')
    lines = ['| room | files | imports of other rooms | other packages |', '|---|---|---|---|']
    for room in ROOMS:
        taken = ', '.join(f'{other} ({count})' for (one, other), count
                          in sorted(rooms.arrows.items()) if one == room)
        outside = ', '.join(sorted(rooms.others[room] - sys.stdlib_module_names))
        lines.append(f'| {room} | {rooms.files[room]} | {taken or "none"} | {outside} |')
    (folder / 'rooms.md').write_text('\n'.join(lines) + '\n')
