# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The map file: one SQLite database of places.

While a map is built it is in WAL mode and every batch is one transaction, so
that a kill at any moment leaves what was committed. A closed map is a plain
single file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
import json
from pathlib import Path
import sqlite3
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.map_error import MapError, ModelMismatchError
from tetra_vpr_ros.mapping.map.map_file import (
    check_creatable, create_database, FORMAT_VERSION, open_database)
from tetra_vpr_ros.mapping.map.places import NewPlace, PlaceTable, Session
from tetra_vpr_ros.mapping.map.writer_lock import WriterLock
from tetra_vpr_ros.vision.local_features import LocalFeatures
from tetra_vpr_ros.vision.model_file import ModelInfo

_MOST_BITS = 1_000_000
_NOWHERE = (None, None, None)
_ROWS = 500  # of the file that are Python objects at a time: more do not fit the cache

_PLACES = ('SELECT descriptor, id, session, stamp_ns, x, y, z, qx, qy, qz, qw FROM place '
           'ORDER BY id')
_TAGGED_PLACES = ('SELECT descriptor, id, session, stamp_ns, x, y, z, qx, qy, qz, qw, latitude, '
                  'longitude, altitude FROM place ORDER BY id')


class PlaceMap:
    """
    An open map file.

    Use `create` or `open_file`; usable as a context manager.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection,
                 lock: WriterLock | None = None) -> None:
        """Wrap an open database."""
        self.path = path
        self._db = connection
        self._lock = lock

    @classmethod
    def create(cls, path: Path | str, model: ModelInfo, frame_id: str = 'map') -> PlaceMap:
        """
        Create an empty map.

        :raises MapError: the file exists or cannot be created.
        """
        path = Path(path)
        check_creatable(path)
        lock = WriterLock(path)
        try:
            db = create_database(path)
        except MapError:
            lock.release()
            raise
        new = cls(path, db, lock)
        new.set_meta(format_version=FORMAT_VERSION, model_fingerprint=model.fingerprint,
                     model_name=model.name, bits=model.bits, frame_id=frame_id,
                     created=datetime.now(timezone.utc).isoformat(timespec='seconds'))
        return new

    @classmethod
    def open_file(cls, path: Path | str, *, writable: bool = False) -> PlaceMap:
        """
        Open an existing map, read-only unless told otherwise.

        :raises MapError: the file is missing, no map, truncated, damaged or of
            another format version.
        """
        path = Path(path)
        lock = WriterLock(path) if writable and path.is_file() else None
        try:
            return cls(path, open_database(path, writable), lock)
        except MapError:
            if lock is not None:
                lock.release()
            raise

    def meta(self) -> dict[str, Any]:
        """Return all metadata."""
        return self._parsed(self._read('SELECT key, value FROM meta'))

    def _meta_value(self, key: str) -> Any:
        found = self._parsed(self._read('SELECT key, value FROM meta WHERE key = ?', (key,)))
        if key not in found:
            raise MapError(f'{self.path} is damaged: no {key} in its metadata; build it again')
        return found[key]

    def _parsed(self, rows: Sequence[Any]) -> dict[str, Any]:
        try:
            return {key: json.loads(value) for key, value in rows}
        except (ValueError, TypeError) as error:
            raise MapError(f'{self.path} is damaged: its metadata: {error}; build it again'
                           ) from error

    def set_meta(self, **values: Any) -> None:
        """Store metadata; values must be JSON-serialisable."""
        with self._transaction():
            self._db.executemany(
                'INSERT OR REPLACE INTO meta VALUES (?, ?)',
                [(key, json.dumps(value)) for key, value in values.items()])

    @property
    def frame_id(self) -> str:
        """Return the frame of the poses."""
        return str(self._meta_value('frame_id'))

    @property
    def bits(self) -> int:
        """Return the length of the map's descriptors."""
        bits = self._meta_value('bits')
        if not isinstance(bits, int) or bits <= 0 or bits % 8 or bits > _MOST_BITS:
            raise MapError(f'{self.path} is damaged: descriptors of {bits!r} bits; build it again')
        return bits

    def require_model(self, model: ModelInfo) -> None:
        """
        Refuse another model's descriptors.

        :raises ModelMismatchError: the map was built with another model; both are named.
        """
        meta = self.meta()
        if meta['model_fingerprint'] != model.fingerprint:
            raise ModelMismatchError(
                f"{self.path} was built with model {meta['model_name']} "
                f"({meta['model_fingerprint'][:12]}), the model given is {model.name} "
                f'({model.fingerprint[:12]}, {model.path}): pass the model of the map, '
                'or build the map again')

    def sessions(self) -> list[Session]:
        """Return all traverses."""
        rows = self._read('SELECT id, source, start_ns, end_ns, complete FROM session ORDER BY id')
        return [Session(number, source, start, end, bool(complete))
                for number, source, start, end, complete in rows]

    def begin_session(self, source: str) -> int:
        """Start a traverse and return its id."""
        with self._transaction():
            cursor = self._db.execute('INSERT INTO session (source) VALUES (?)', (source,))
        return int(cursor.lastrowid or 0)

    def finish_session(self, session: int) -> None:
        """Mark a traverse as complete."""
        with self._transaction():
            self._db.execute('UPDATE session SET complete = 1 WHERE id = ?', (session,))

    def add_places(self, session: int, places: Sequence[NewPlace]) -> list[int]:
        """
        Store places in one transaction: all of them or none.

        :returns: their ids, ascending.
        :raises ValueError: a descriptor has another length than the map's, or a
            pose is not finite or not a unit quaternion.
        """
        if not places:
            return []
        positions = np.array([place.pose.position for place in places], np.float64)
        quaternions = np.array([place.pose.quaternion for place in places], np.float64)
        self._check(places, positions, quaternions)
        with self._transaction():
            last = self._db.execute('SELECT coalesce(max(id), 0) FROM place').fetchone()[0]
            ids = list(range(last + 1, last + 1 + len(places)))
            self._db.executemany(
                'INSERT INTO place VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
                [(place_id, session, place.stamp_ns, *position, *quaternion,
                  *(place.pose.geodetic or _NOWHERE), place.descriptor.tobytes())
                 for place_id, place, position, quaternion in zip(
                     ids, places, positions.tolist(), quaternions.tolist())])
            self._db.executemany(
                'INSERT INTO thumbnail VALUES (?, ?)',
                [(place_id, place.thumbnail) for place_id, place in zip(ids, places)
                 if place.thumbnail is not None])
            self._db.executemany(
                'INSERT INTO features VALUES (?, ?, ?)',
                [(place_id, *place.features.to_blobs()) for place_id, place in zip(ids, places)
                 if place.features is not None])
            self._db.execute(
                'UPDATE session SET start_ns = coalesce(start_ns, ?), end_ns = ? WHERE id = ?',
                (places[0].stamp_ns, places[-1].stamp_ns, session))
        return ids

    def _check(self, places: Sequence[NewPlace], positions: NDArray[np.float64],
               quaternions: NDArray[np.float64]) -> None:
        size = self.bits // 8
        for place in places:
            if place.descriptor.shape != (size,) or place.descriptor.dtype != np.uint8:
                raise ValueError(f'a descriptor of this map is uint8 [{size}], not '
                                 f'{place.descriptor.dtype} {place.descriptor.shape}')
        # All at once: a million places are checked in seconds.
        unit = np.abs(np.linalg.norm(quaternions, axis=1) - 1) <= 1e-3  # NaN is not
        bad = ~(unit & np.isfinite(positions).all(axis=1))
        if bad.any():
            raise ValueError(f'the pose at {places[int(np.argmax(bad))].stamp_ns} ns is not '
                             'finite or its quaternion is not of unit length')

    def __len__(self) -> int:
        """Return the number of places."""
        return int(self._read('SELECT count(*) FROM place')[0][0])

    def stamps(self, session: int) -> list[int]:
        """Return the stamps of a traverse's places in the order of their storing."""
        return [int(stamp) for stamp, in self._read(
            'SELECT stamp_ns FROM place WHERE session = ? ORDER BY id', (session,))]

    def places(self) -> PlaceTable:
        """
        Load all places, as they were at one moment where another process writes.

        :raises MapError: the file is damaged, or a descriptor has a wrong length.
        """
        with self._snapshot():
            return self._places()

    def _places(self) -> PlaceTable:
        count, size = len(self), self.bits // 8
        ids, sessions, stamps = (np.empty(count, np.int64) for _ in range(3))
        positions, quaternions = np.empty((count, 3)), np.empty((count, 4))
        tagged = bool(self._read('SELECT EXISTS (SELECT 1 FROM place WHERE latitude NOTNULL)'
                                 )[0][0])
        # Most maps have no coordinates, and then they take no memory.
        geodetic = (np.empty((count, 3)) if tagged
                    else np.broadcast_to(np.float64(np.nan), (count, 3)))
        descriptors = np.empty((count, size), np.uint8)
        try:
            rows = self._db.execute(_TAGGED_PLACES if tagged else _PLACES)
            first = 0
            while batch := rows.fetchmany(_ROWS):
                into = slice(first, first + len(batch))
                blobs, *columns = zip(*batch)
                self._check_lengths(blobs, columns[0], size)
                for array, column in zip((ids, sessions, stamps), columns):
                    array[into] = np.array(column, np.int64)
                positions[into] = np.array(columns[3:6], np.float64).T
                quaternions[into] = np.array(columns[6:10], np.float64).T
                if tagged:
                    geodetic[into] = np.array(columns[10:], np.float64).T  # None becomes NaN
                descriptors[into] = np.frombuffer(b''.join(blobs), np.uint8).reshape(-1, size)
                first += len(batch)
        except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
            raise MapError(f'{self.path} is damaged: {error}; build it again') from error
        if first != count:
            raise MapError(f'{self.path} is damaged: {first} places instead of {count}; '
                           'build it again')
        return PlaceTable(ids, sessions, stamps, positions, quaternions, geodetic, descriptors)

    def _check_lengths(self, blobs: Sequence[bytes], ids: Sequence[int], size: int) -> None:
        lengths = [len(blob) for blob in blobs]
        if lengths.count(size) != len(lengths):
            wrong = next(i for i, length in enumerate(lengths) if length != size)
            raise MapError(f'{self.path} is damaged: place {ids[wrong]} has a descriptor of '
                           f'{lengths[wrong]} bytes instead of {size}; build it again')

    def thumbnail(self, place: int) -> bytes | None:
        """Return a place's JPEG, or None when the map has none."""
        rows = self._read('SELECT jpeg FROM thumbnail WHERE place = ?', (place,))
        return bytes(rows[0][0]) if rows else None

    def integrity(self) -> list[str]:
        """Return what SQLite finds wrong with the file; nothing when it is sound."""
        rows = self._read('PRAGMA integrity_check') + self._read('PRAGMA foreign_key_check')
        return [' '.join(str(value) for value in row) for row in rows if tuple(row) != ('ok',)]

    def has_features(self) -> bool:
        """Tell whether any place has local features."""
        return bool(self._read('SELECT EXISTS (SELECT 1 FROM features)')[0][0])

    def features(self, place: int) -> LocalFeatures | None:
        """
        Return a place's local features, or None when it has none.

        :raises MapError: they are damaged.
        """
        rows = self._read('SELECT keypoints, descriptors FROM features WHERE place = ?', (place,))
        try:
            return LocalFeatures.from_blobs(*rows[0]) if rows else None
        except (ValueError, TypeError) as error:
            raise MapError(f'{self.path} is damaged: the features of place {place}: {error}; '
                           'build it again') from error

    def close(self) -> None:
        """Close; a map that was written becomes a plain single file."""
        # It stays in WAL mode, which every reader understands, where another reader
        # holds the file or it is read-only.
        with suppress(sqlite3.Error):
            self._db.execute('PRAGMA journal_mode=DELETE')
        self._db.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> PlaceMap:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close."""
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute('BEGIN IMMEDIATE')
            try:
                yield
            except BaseException:
                self._db.execute('ROLLBACK')
                raise
            self._db.execute('COMMIT')
        except sqlite3.Error as error:
            raise MapError(f'{self.path} cannot be written: {error}') from error

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        self._read('BEGIN')
        try:
            yield
        finally:
            with suppress(sqlite3.Error):  # where reading has failed it says why
                self._db.execute('COMMIT')

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise MapError(f'{self.path} is damaged: {error}; build it again') from error
