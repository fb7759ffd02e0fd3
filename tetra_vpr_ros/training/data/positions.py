# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the pictures of a folder were taken: its ``positions.csv``."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

_AXES = ('x_m', 'y_m'), ('east_m', 'north_m')


def read_positions(table: Path) -> dict[str, np.ndarray]:
    """
    Read where pictures were taken.

    :param table: CSV with ``name`` and ``x_m``, ``y_m`` or ``east_m``, ``north_m``; where a
        column ``site`` says that there are several, they count as 100 km apart.
    :returns: position ``[2]`` in metres by the picture's name without its suffix.
    :raises ValueError: the table is not one of positions; file and line are named.
    """
    found: dict[str, np.ndarray] = {}
    sites: dict[str, int] = {}
    with table.open(newline='', encoding='utf-8-sig') as file:  # spreadsheets write a mark
        rows = csv.DictReader(file)
        axes = next((axes for axes in _AXES if set(axes) <= set(rows.fieldnames or ())), None)
        if axes is None or 'name' not in (rows.fieldnames or ()):
            raise ValueError(f'{table} must have the columns name and x_m, y_m or east_m, north_m')
        for number, row in enumerate(rows, 2):
            try:
                position = np.array([float(row[axis]) for axis in axes])
            except (TypeError, ValueError) as error:
                raise ValueError(f'{table}, line {number}: {error}') from error
            if not np.isfinite(position).all():
                raise ValueError(f"{table}, line {number}: {row['name']} is at no finite "
                                 'position: leave it out')
            site = sites.setdefault(row.get('site') or '', len(sites))
            found[without_suffix(row['name'])] = position + 1e5 * site
    return found


def without_suffix(name: str) -> str:
    """Return a picture's name without ``.jpg``, ``.jpeg`` or ``.png``."""
    stem, dot, suffix = name.rpartition('.')
    return stem if dot and suffix.lower() in ('jpg', 'jpeg', 'png') else name
