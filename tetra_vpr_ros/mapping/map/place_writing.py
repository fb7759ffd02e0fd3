# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From places to the rows of a map file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.map_database import MapDatabase
from tetra_vpr_ros.mapping.map.places import NewPlace
from tetra_vpr_ros.mapping.pose import sound_poses

_NOWHERE = (None, None, None)


def insert_session(db: MapDatabase, source: str) -> int:
    """
    Start a traverse and return its id.

    :raises MapError: the file cannot be written.
    """
    with db.transaction() as connection:
        cursor = connection.execute('INSERT INTO session (source) VALUES (?)', (source,))
    return int(cursor.lastrowid or 0)


def complete_session(db: MapDatabase, session: int) -> None:
    """
    Mark a traverse as complete.

    :raises MapError: the file cannot be written.
    """
    with db.transaction() as connection:
        connection.execute('UPDATE session SET complete = 1 WHERE id = ?', (session,))


def delete_session(db: MapDatabase, session: int) -> None:
    """
    Forget a traverse of which no place is stored.

    :raises MapError: the file cannot be written.
    """
    with db.transaction() as connection:
        connection.execute(
            'DELETE FROM session WHERE id = ? AND id NOT IN (SELECT session FROM place)',
            (session,))


def insert_places(db: MapDatabase, bits: int, token_shape: tuple[int, int], session: int,
                  places: Sequence[NewPlace]) -> list[int]:
    """
    Store places in one transaction: all of them or none.

    :param db: of the map.
    :param bits: of a descriptor.
    :param token_shape: tokens of a place, and bytes of each; zeros where the map's model has
        none.
    :param session: their traverse.
    :param places: at least one.
    :returns: their ids, ascending.
    :raises ValueError: descriptor or tokens have another shape than the map's, or a
        pose is not finite or not a unit quaternion.
    :raises MapError: the file cannot be written.
    """
    positions = np.array([place.pose.position for place in places], np.float64)
    quaternions = np.array([place.pose.quaternion for place in places], np.float64)
    _check((bits // 8,), token_shape, places, positions, quaternions)
    with db.transaction() as connection:
        last = connection.execute('SELECT coalesce(max(id), 0) FROM place').fetchone()[0]
        ids = list(range(last + 1, last + 1 + len(places)))
        connection.executemany(
            'INSERT INTO place VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
            [(place_id, session, place.stamp_ns, *position, *quaternion,
              *(place.pose.geodetic or _NOWHERE), place.descriptor.tobytes())
             for place_id, place, position, quaternion in zip(
                 ids, places, positions.tolist(), quaternions.tolist())])
        connection.executemany(
            'INSERT INTO thumbnail VALUES (?, ?)',
            [(place_id, place.thumbnail) for place_id, place in zip(ids, places)
             if place.thumbnail is not None])
        connection.executemany(
            'INSERT INTO features VALUES (?, ?, ?)',
            [(place_id, *place.features.to_blobs()) for place_id, place in zip(ids, places)
             if place.features is not None])
        connection.executemany(
            'INSERT INTO token VALUES (?, ?)',
            [(place_id, place.tokens.tobytes()) for place_id, place in zip(ids, places)
             if place.tokens is not None])
        connection.execute(
            'UPDATE session SET start_ns = coalesce(start_ns, ?), end_ns = ? WHERE id = ?',
            (places[0].stamp_ns, places[-1].stamp_ns, session))
    return ids


def _check(shape: tuple[int], token_shape: tuple[int, int], places: Sequence[NewPlace],
           positions: NDArray[np.float64], quaternions: NDArray[np.float64]) -> None:
    for place in places:
        _check_array('a descriptor', place.descriptor, shape)
        if place.tokens is not None:
            _check_array('the tokens of a place', place.tokens, token_shape)
    # All at once: a million places are checked in seconds.
    bad = ~sound_poses(positions, quaternions)
    if bad.any():
        raise ValueError(f'the pose at {places[int(np.argmax(bad))].stamp_ns} ns is not '
                         'finite, far off, or its quaternion is not of unit length')


def _check_array(what: str, array: NDArray[np.uint8], shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype != np.uint8:
        raise ValueError(f'{what} of this map: uint8 {list(shape)}, not {array.dtype} '
                         f'{list(array.shape)}')
