# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the pictures of a data set were taken, and which are near each other."""

from __future__ import annotations

from collections.abc import Sequence
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError
from tetra_vpr_ros.mapping import MapError
from tetra_vpr_ros.mapping.sources.image_poses.path_matching import match_paths
from tetra_vpr_ros.mapping.sources.image_poses.tables import read_text_lines
from tetra_vpr_ros.vision.image_files import ViewName

Positions = NDArray[np.float64]
"""Metres, ``[n, 2 or 3]``; NaN where it is not known."""

_AT_ONCE = 2**19  # pairs whose distances are held: 48 bytes each while they are computed


def positions_of_names(files: Sequence[Path]) -> Positions:
    """
    Read ``@utm_east@utm_north@…`` names.

    :raises DatasetError: a name is none.
    """
    positions = []
    for path in files:
        name = ViewName.of(path.name)
        if name.east is None or name.north is None:
            raise DatasetError(f'{path}: the name holds no @utm_east@utm_north@; say with '
                               '--ground-truth how places are told')
        positions.append((name.east, name.north))
    return _finite(positions)


def positions_of_file(path: Path, database: Sequence[Path], queries: Sequence[Path]
                      ) -> tuple[Positions, Positions]:
    """
    Read positions: by name from a CSV, or of TUM or KITTI poses in the order of the images.

    :param path: of the file.
    :param database: image files of the places.
    :param queries: image files of the queries; where they are the database, a pose each will do.
    :returns: of places and of queries.
    :raises DatasetError: it is none of these, or does not fit the images.
    """
    try:
        lines = read_text_lines(path)
        if lines[0].startswith('name,'):
            return _by_name(path, lines, database, queries)
        rows = [[float(value) for value in line.replace(',', ' ').split()]
                for line in lines if line.strip() and not line.startswith('#')]
    except MapError as error:
        raise DatasetError(str(error)) from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise DatasetError(f'{path} is neither CSV (name,x,y), TUM nor KITTI: {error}') from error
    widths = {len(row) for row in rows}
    if widths not in ({8}, {12}):
        raise DatasetError(f'{path} is neither CSV (name,x,y), TUM (8 numbers a line) nor KITTI '
                           '(12)')
    found = _finite(np.array(rows)[:, [1, 2, 3] if widths == {8} else [3, 7, 11]])
    if len(rows) == len(database) and list(database) == list(queries):
        return found, found
    if len(rows) != len(database) + len(queries):
        raise DatasetError(f'{path} has {len(rows)} poses for {len(database) + len(queries)} '
                           'images of database and queries')
    return found[:len(database)], found[len(database):]


def _by_name(path: Path, lines: Sequence[str], database: Sequence[Path],
             queries: Sequence[Path]) -> tuple[Positions, Positions]:
    table = list(csv.DictReader(lines))
    names = [row['name'] for row in table]
    known = _finite([[float(row['x']), float(row['y']), float(row.get('z') or 0.0)]
                     for row in table])
    sides = [match_paths(files, files[0].parent, names, str(path))
             for files in (database, queries)]
    missing = [file.name for files, rows in zip((database, queries), sides)
               for file, row in zip(files, rows) if row is None]
    if missing:
        raise DatasetError(f'{path} has no pose of {missing[0]} (and {len(missing) - 1} others)')
    taken = dict(zip(sides[0], database))
    for file, row in zip(queries, sides[1]):
        if row in taken and taken[row] != file:
            raise DatasetError(f'{path}: {names[row or 0]!r} fits both {taken[row]} and {file}: '
                               'write their folders into the names, too')
    places, asked = (known[[row for row in rows if row is not None]] for rows in sides)
    return places, asked


def _finite(positions: object) -> Positions:
    found = np.array(positions, np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def within(places: Positions, queries: Positions, radius: float) -> NDArray[np.bool_]:
    """
    Return which places lie within a radius of which queries, a byte for each pair.

    Their distances, which take many times that, are never all in memory.

    :param places: ``[n, d]``.
    :param queries: ``[m, d]``.
    :param radius: metres.
    :returns: bool ``[m, n]``.
    """
    near = np.zeros((len(queries), len(places)), np.bool_)
    rows = max(_AT_ONCE // max(len(places), 1), 1)
    for begin in range(0, len(queries), rows):
        part = queries[begin:begin + rows]
        apart = np.linalg.norm(part[:, None] - places[None], axis=2)
        near[begin:begin + rows] = apart <= radius
    return near
