# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Places told by a list of verified pairs: two pictures that were found to show the same.

What is not in the list may still show the same place from another side: it counts as another
place only where it is not linked over any number of pairs, and was taken elsewhere if
``positions.csv`` says where.
"""

from __future__ import annotations

from collections.abc import Sequence
import csv
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tetra_vpr_ros.training.data.pool import PoolImage
from tetra_vpr_ros.training.data.positions import read_positions, without_suffix


def read_pairs(table: Path, images: Sequence[PoolImage], folder: Path) -> np.ndarray:
    """
    Read which pictures show the same place.

    :param table: CSV with the columns ``a`` and ``b``: names within the folder, with or without
        a suffix.
    :param images: of the folder.
    :param folder: that the names are relative to.
    :returns: indices of images, int64 ``[pairs, 2]``.
    :raises ValueError: the table cannot be used; file and line are named.
    """
    index = {without_suffix(image.path.relative_to(folder).as_posix()): i
             for i, image in enumerate(images)}
    pairs: list[tuple[int, int]] = []
    try:
        with table.open(newline='') as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                try:
                    pairs.append((index[without_suffix(row['a'])],
                                  index[without_suffix(row['b'])]))
                except (KeyError, AttributeError) as error:
                    raise ValueError(f'{table}, line {number}: {folder} has no picture or the '
                                     f'table no column {error}') from error
    except FileNotFoundError as error:
        raise ValueError(f'no such table of pairs: {table}') from error
    if not pairs:
        raise ValueError(f'{table} lists no pair: it needs the columns a and b')
    return np.array(pairs, np.int64)


def pair_groups(pairs: np.ndarray, count: int) -> np.ndarray:
    """Return the group of each of ``count`` images: linked over any number of pairs."""
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (count, count))
    return np.asarray(connected_components(links, directed=False)[1])


def pair_positions(images: Sequence[PoolImage], folder: Path) -> np.ndarray:
    """
    Return where images were taken, ``[n, 2]`` in metres; NaN where nothing says so.

    :raises ValueError: ``positions.csv`` cannot be used.
    """
    table = folder / 'positions.csv'
    known = read_positions(table) if table.is_file() else {}
    nowhere = np.full(2, np.nan)
    return np.array([known.get(without_suffix(image.path.relative_to(folder).as_posix()), nowhere)
                     for image in images]).reshape(-1, 2)
