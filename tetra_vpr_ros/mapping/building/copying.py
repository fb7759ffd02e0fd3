# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Places of one map into another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import NewPlace, PlaceTable
from tetra_vpr_ros.mapping.motion import compose
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.vision.encoder import Encodings
from tqdm import tqdm

_BATCH = 500
Encode = Callable[[NDArray[np.int64]], Encodings]


def copy_places(source: PlaceMap, table: PlaceTable, into: PlaceMap, keep: NDArray[np.bool_],
                transform: Pose | None = None, progress: bool = True,
                encode: Encode | None = None) -> int:
    """
    Copy places with their pictures, features and tokens.

    :param source: map.
    :param table: its places.
    :param into: map of the same model.
    :param keep: which places, bool ``[n]``.
    :param transform: pose of the source's frame in the other's; None for the same frame.
    :param progress: show a bar.
    :param encode: returns descriptors and tokens of the places in some rows of the table;
        None copies those that are there.
    :returns: how many were copied.
    """
    taken = {s.source for s in into.sessions()}
    bar = tqdm(total=int(keep.sum()), desc=f'copying {source.path.name}', unit='place',
               disable=not progress)
    with bar:
        for session in source.sessions():
            rows = np.flatnonzero(keep & (table.sessions == session.number))
            name = session.source
            while name in taken:
                name += ' (again)'
            taken.add(name)
            number = into.begin_session(name)
            for first in range(0, len(rows), _BATCH):
                batch = rows[first:first + _BATCH]
                encodings = encode(batch) if encode else (
                    (table.descriptors[row], source.tokens(int(table.ids[row])))
                    for row in batch)
                into.add_places(number, [
                    _copied(source, table, row, transform, *encoding)
                    for row, encoding in zip(batch, encodings)])
                bar.update(len(batch))
            if session.complete:  # else the rest of it can still be built
                into.finish_session(number)
    return int(keep.sum())


def _copied(source: PlaceMap, table: PlaceTable, row: int, transform: Pose | None,
            descriptor: NDArray[np.uint8], tokens: NDArray[np.uint8] | None) -> NewPlace:
    pose = table.pose(row)
    if transform is not None:
        pose = replace(compose(transform, pose), geodetic=pose.geodetic)
    place = int(table.ids[row])
    return NewPlace(int(table.stamps[row]), pose, descriptor,
                    source.thumbnail(place), source.features(place), tokens)
