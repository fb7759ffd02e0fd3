# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From the rows of a map file to places: every value is checked before it is believed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.map_database import MapDatabase
from tetra_vpr_ros.mapping.map.map_error import damage_told, MapError
from tetra_vpr_ros.mapping.map.places import PlaceTable, Session
from tetra_vpr_ros.mapping.pose import FARTHEST, sound_poses
from tetra_vpr_ros.vision.local_features import LocalFeatures

_PLACES = ('SELECT descriptor, id, session, stamp_ns, x, y, z, qx, qy, qz, qw FROM place '
           'ORDER BY id')
_TAGGED_PLACES = ('SELECT descriptor, id, session, stamp_ns, x, y, z, qx, qy, qz, qw, latitude, '
                  'longitude, altitude FROM place ORDER BY id')
_ON_EARTH = 90.0, 360.0, FARTHEST  # degrees, degrees, metres
_TYPES: list[tuple[type, ...]] = [
    (bytes,), *[(int,)] * 3, *[(float,)] * 7, *[(float, type(None))] * 3]


def read_places(db: MapDatabase, bits: int) -> PlaceTable:
    """
    Load all places.

    :param db: of the map.
    :param bits: of a descriptor.
    :raises MapError: the file is damaged, a descriptor has a wrong length, or a pose is none.
    """
    count, size = count_places(db), bits // 8
    ids, sessions, stamps = (np.empty(count, np.int64) for _ in range(3))
    positions, quaternions = np.empty((count, 3)), np.empty((count, 4))
    tagged = bool(db.read('SELECT EXISTS (SELECT 1 FROM place WHERE latitude NOTNULL)')[0][0])
    # Most maps have no coordinates, and then they take no memory.
    geodetic = (np.empty((count, 3)) if tagged
                else np.broadcast_to(np.float64(np.nan), (count, 3)))
    descriptors = np.empty((count, size), np.uint8)
    first = 0
    for batch in db.batches(_TAGGED_PLACES if tagged else _PLACES):
        with damage_told(db.path):
            into = slice(first, first + len(batch))
            blobs, *columns = zip(*batch)
            _check_types(blobs, columns)
            _check_lengths(blobs, columns[0], size)
            for array, column in zip((ids, sessions, stamps), columns):
                array[into] = np.array(column, np.int64)
            positions[into] = np.array(columns[3:6], np.float64).T
            quaternions[into] = np.array(columns[6:10], np.float64).T
            if tagged:
                geodetic[into] = np.array(columns[10:], np.float64).T  # None becomes NaN
            descriptors[into] = np.frombuffer(b''.join(blobs), np.uint8).reshape(-1, size)
            first += len(batch)
    if first != count:
        raise MapError(f'{db.path} is damaged: {first} places instead of {count}; '
                       'build it again')
    bad = ~sound_poses(positions, quaternions)
    if bad.any():
        raise MapError(f'{db.path} is damaged: {int(bad.sum())} poses are not finite, far off '
                       f'or not unit quaternions, the first of place {ids[np.argmax(bad)]}; '
                       'build it again')
    off = np.abs(geodetic) > _ON_EARTH if tagged else np.zeros((0, 3), bool)  # NaN is not
    if off.any():
        raise MapError(f'{db.path} is damaged: the latitude, longitude or altitude of place '
                       f'{ids[np.argmax(off.any(axis=1))]} is not on Earth; build it again')
    return PlaceTable(ids, sessions, stamps, positions, quaternions, geodetic, descriptors)


def _check_types(blobs: Sequence[object], columns: Sequence[Sequence[object]]) -> None:
    """Refuse what numpy would convert in silence: SQLite stores any type in any column."""
    for values, types in zip((blobs, *columns), _TYPES):
        wrong = {kind.__name__ for kind in set(map(type, values)).difference(types)}
        if wrong:
            raise TypeError(f'places hold {min(wrong)} instead of {types[0].__name__}')


def _check_lengths(blobs: Sequence[bytes], ids: Sequence[int], size: int) -> None:
    lengths = [len(blob) for blob in blobs]
    if lengths.count(size) != len(lengths):
        wrong = next(i for i, length in enumerate(lengths) if length != size)
        raise ValueError(f'place {ids[wrong]} has a descriptor of {lengths[wrong]} bytes '
                         f'instead of {size}')


def count_places(db: MapDatabase) -> int:
    """Return the number of places."""
    return int(db.read('SELECT count(*) FROM place')[0][0])


def read_stamps(db: MapDatabase, session: int) -> list[int]:
    """
    Return the stamps of a traverse's places in the order of their storing, nanoseconds.

    :raises MapError: the file is damaged.
    """
    stamps = [stamp for stamp, in db.read(
        'SELECT stamp_ns FROM place WHERE session = ? ORDER BY id', (session,))]
    with damage_told(db.path):
        _check_column(stamps, int, 'a stamp')
    return stamps


def read_sessions(db: MapDatabase) -> list[Session]:
    """
    Return all traverses.

    :raises MapError: the file is damaged.
    """
    rows = db.read('SELECT id, source, start_ns, end_ns, complete FROM session ORDER BY id')
    with damage_told(db.path, 'a traverse'):
        for number, source, start, end, complete in rows:
            _check_column([number, complete], int, 'a number')
            _check_column([source], str, 'its source')
            _check_column([stamp for stamp in (start, end) if stamp is not None], int, 'a stamp')
    return [Session(number, source, start, end, bool(complete))
            for number, source, start, end, complete in rows]


def _check_column(values: Sequence[object], kind: type, what: str) -> None:
    for value in values:
        if not isinstance(value, kind):
            raise TypeError(f'{what} is {value!r:.80}')


def read_thumbnail(db: MapDatabase, place: int) -> bytes | None:
    """
    Return a place's JPEG, or None when the map has none.

    :raises MapError: the file is damaged.
    """
    rows = db.read('SELECT jpeg FROM thumbnail WHERE place = ?', (place,))
    with damage_told(db.path, f'the thumbnail of place {place}'):
        for row in rows:
            _check_column(row, bytes, 'the picture')
    return rows[0][0] if rows else None


def read_features(db: MapDatabase, place: int) -> LocalFeatures | None:
    """
    Return a place's local features, or None when it has none.

    :raises MapError: they are damaged.
    """
    rows = db.read('SELECT keypoints, descriptors FROM features WHERE place = ?', (place,))
    with damage_told(db.path, f'the features of place {place}'):
        for row in rows:
            _check_column(row, bytes, 'a column')
        return LocalFeatures.from_blobs(*rows[0]) if rows else None


def has_rows(db: MapDatabase, table: str) -> bool:
    """Tell whether a table of places, which an old map may lack, holds any."""
    if not db.read("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)):
        return False
    return bool(db.read(f'SELECT EXISTS (SELECT 1 FROM {table})')[0][0])  # noqa: S608


def read_tokens(db: MapDatabase, place: int, shape: tuple[int, int]) -> NDArray[np.uint8] | None:
    """
    Return a place's patch tokens, or None when it has none.

    :param db: of a map with the table of them.
    :param place: its id.
    :param shape: of the tokens.
    :returns: uint8 of that shape, read-only.
    :raises MapError: they are damaged.
    """
    rows = db.read('SELECT tokens FROM token WHERE place = ?', (place,))
    with damage_told(db.path, f'the tokens of place {place}'):
        for row in rows:
            _check_column(row, bytes, 'the column')
        return np.frombuffer(rows[0][0], np.uint8).reshape(shape) if rows else None


def tokens_size(db: MapDatabase) -> tuple[int, int]:
    """Return how many places have tokens, and the bytes that these take."""
    count, size = db.read('SELECT count(*), coalesce(sum(length(tokens)), 0) FROM token')[0]
    return int(count), int(size)


def integrity(db: MapDatabase, token_bytes: int = 0) -> list[str]:
    """
    Return what SQLite finds wrong with the file; nothing when it is sound.

    :param db: of the map.
    :param token_bytes: of the patch tokens of a place; 0 where the map's model has none.
    :raises MapError: it cannot even be checked.
    """
    found = [str(text) for text, in db.read('PRAGMA integrity_check') if text != 'ok']
    if token_bytes:
        found += [f'place {place} has tokens of {size} bytes instead of {token_bytes}'
                  for place, size in db.read(
                      'SELECT place, length(tokens) FROM token WHERE length(tokens) != ? '
                      "OR typeof(tokens) != 'blob' LIMIT 10", (token_bytes,))]
    return found + [f'row {row} of {table} belongs to no {parent}'
                    for table, row, parent, _ in db.read('PRAGMA foreign_key_check')]
