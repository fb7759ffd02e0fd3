# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The map file: one SQLite database of places.

While a map is built it is in WAL mode and every batch is one transaction, so
that a kill at any moment leaves what was committed. A closed map is a plain
single file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
import sqlite3
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.mapping.map.map_database import MapDatabase
from tetra_vpr_ros.mapping.map.map_error import MapError, ModelMismatchError
from tetra_vpr_ros.mapping.map.map_file import check_creatable, create_database, open_database
from tetra_vpr_ros.mapping.map.metadata import (
    KEYFRAMES, read_metadata, read_value, token_metadata, write_metadata)
from tetra_vpr_ros.mapping.map.place_reading import (
    count_places, has_rows, integrity, read_features, read_places, read_sessions, read_stamps,
    read_thumbnail, read_tokens, tokens_size)
from tetra_vpr_ros.mapping.map.place_writing import (
    complete_session, delete_session, insert_places, insert_session)
from tetra_vpr_ros.mapping.map.places import NewPlace, PlaceTable, Session
from tetra_vpr_ros.mapping.map.schema import FORMAT_VERSION
from tetra_vpr_ros.mapping.map.writer_lock import WriterLock
from tetra_vpr_ros.vision.local_features import LocalFeatures
from tetra_vpr_ros.vision.match_model import MatchModel
from tetra_vpr_ros.vision.model_file import ModelInfo, shipped_model_with


class PlaceMap:
    """
    An open map file; every method raises MapError where it is damaged.

    Use `create` or `open_file`; usable as a context manager.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection,
                 lock: WriterLock | None = None) -> None:
        """Wrap an open database."""
        self.path = path
        self._db = MapDatabase(path, connection)
        self._lock = lock
        self._matches: MatchModel | None = None  # of the model's file, where it is at hand

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
            return cls(path, create_database(path, {
                **token_metadata(model),
                'format_version': FORMAT_VERSION, 'model_fingerprint': model.fingerprint,
                'model_name': model.name, 'bits': model.bits, 'frame_id': frame_id,
                'created': datetime.now(timezone.utc).isoformat(timespec='seconds')}), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open_file(cls, path: Path | str, *, writable: bool = False) -> PlaceMap:
        """
        Open an existing map, read-only unless told otherwise.

        To be written it must be sound in all parts: writing would spread the damage.

        :raises MapError: the file is missing, no map, truncated, damaged or of
            another format version.
        """
        path = Path(path)
        lock = WriterLock(path) if writable and path.is_file() else None
        try:
            if writable:
                with cls(path, open_database(path, writable=False)) as found:
                    found.require_sound()
            return cls(path, open_database(path, writable), lock)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    def meta(self) -> dict[str, Any]:
        """Return all metadata."""
        return read_metadata(self._db)

    def value(self, key: str) -> Any:
        """Return one value of the metadata, without reading the rest; None where it is missing."""
        return read_value(self._db, key)

    def set_meta(self, **values: Any) -> None:
        """Store metadata; values must be JSON-serialisable."""
        write_metadata(self._db, values)

    @property
    def frame_id(self) -> str:
        """Return the frame of the poses."""
        return str(read_value(self._db, 'frame_id'))

    @property
    def bits(self) -> int:
        """Return the length of the map's descriptors."""
        return int(read_value(self._db, 'bits'))

    @property
    def geodetic_origin(self) -> tuple[float, float, float] | None:
        """Return latitude, longitude and altitude of the frame of a map of GPS positions."""
        stored = self.value('geodetic_origin')
        return tuple(stored) if stored else None

    @property
    def keyframes(self) -> dict[str, float]:
        """
        Return how far apart places of a traverse are, as it was built, or nothing.

        ``keyframe_distance`` in metres, ``keyframe_angle`` in degrees: the least of all builds.
        """
        stored = self.value('keyframes') or self.value('build') or {}
        return {key: float(stored[key]) for key in KEYFRAMES if key in stored}

    @property
    def camera(self) -> Camera | None:
        """Return the mapping camera, or None where it is not known."""
        return Camera.from_meta(read_value(self._db, 'camera'))

    def require_model(self, model: ModelInfo) -> None:
        """
        Refuse another model's descriptors, and believe what the right one's file says of matches.

        That may have been measured again since the map was built, see `ModelInfo.former`.

        :raises ModelMismatchError: the map was built with another model; both are named.
        """
        meta = self.meta()
        if not model.encodes_like(meta['model_fingerprint']):
            raise ModelMismatchError(
                f"{self.path} was built with model {meta['model_name']} "
                f"({meta['model_fingerprint'][:12]}), the model given is {model.name} "
                f'({model.fingerprint[:12]}, {model.path}): pass the model of the map, '
                "encode it again with 'vpr_map reencode', or build it again")
        self._matches = model.match_model

    def require_sound(self) -> None:
        """
        Read everything, before something is made of it.

        :raises MapError: anything is damaged.
        """
        found = self.integrity()
        if found:
            raise MapError(f'{self.path} is damaged: {found[0]}; build it again')
        self.meta()
        self.sessions()
        self.places()

    def sessions(self) -> list[Session]:
        """Return all traverses."""
        return read_sessions(self._db)

    def unfinished(self) -> list[str]:
        """Return the sources of the traverses that were begun and not finished."""
        return [session.source for session in self.sessions() if not session.complete]

    def begin_session(self, source: str) -> int:
        """Start a traverse and return its id."""
        return insert_session(self._db, source)

    def finish_session(self, session: int) -> None:
        """Mark a traverse as complete."""
        complete_session(self._db, session)

    def drop_session(self, session: int) -> None:
        """Forget a traverse of which no place is stored, so that it can be mapped again."""
        delete_session(self._db, session)

    def add_places(self, session: int, places: Sequence[NewPlace]) -> list[int]:
        """
        Store places in one transaction: all of them or none.

        :returns: their ids, ascending.
        :raises ValueError: descriptor or tokens have another shape than the map's, or a
            pose is not finite or not a unit quaternion.
        """
        if not places:
            return []
        return insert_places(self._db, self.bits, self.token_shape, session, places)

    def __len__(self) -> int:
        """Return the number of places."""
        return count_places(self._db)

    def stamps(self, session: int) -> list[int]:
        """Return the stamps of a traverse's places in the order of their storing."""
        return read_stamps(self._db, session)

    def places(self) -> PlaceTable:
        """
        Load all places, as they were at one moment where another process writes.

        :raises MapError: the file is damaged, a descriptor has a wrong length, or a pose is
            none.
        """
        with self._db.snapshot():
            return read_places(self._db, self.bits)

    def thumbnail(self, place: int) -> bytes | None:
        """Return a place's JPEG, or None when the map has none."""
        return read_thumbnail(self._db, place)

    def integrity(self) -> list[str]:
        """Return what is wrong with the file's structure; nothing when it is sound."""
        count, size = self.token_shape
        return integrity(self._db, count * size)

    def has_features(self) -> bool:
        """Tell whether any place has local features."""
        return has_rows(self._db, 'features')

    def features(self, place: int) -> LocalFeatures | None:
        """Return a place's local features, or None when it has none."""
        return read_features(self._db, place)

    @cached_property
    def token_grid(self) -> tuple[int, int]:
        """Return rows and columns of the patch tokens; (0, 0) where the map's model has none."""
        rows, columns = read_value(self._db, 'token_grid') or (0, 0)
        return rows, columns

    @cached_property
    def token_shape(self) -> tuple[int, int]:
        """Return how many patch tokens a place has, and the bytes of each; (0, 0) for none."""
        rows, columns = self.token_grid
        return rows * columns, (read_value(self._db, 'token_bits') or 0) // 8

    def has_tokens(self) -> bool:
        """Tell whether any place has patch tokens."""
        return self.token_grid != (0, 0) and has_rows(self._db, 'token')

    def tokens(self, place: int) -> NDArray[np.uint8] | None:
        """
        Return a place's patch tokens, or None when it has none.

        :returns: uint8 ``[rows*columns, token_bits / 8]``, read-only.
        """
        if self.token_grid == (0, 0):
            return None
        return read_tokens(self._db, place, self.token_shape)

    def match_model(self) -> MatchModel | None:
        """
        Return what the model's matches look like, or None where it does not say.

        As its file says, where `require_model` was given that, else as the map remembers.
        """
        if self._matches is not None:
            return self._matches
        stored = read_value(self._db, 'match_model')
        return MatchModel.from_values(stored) if stored else None

    def has_second_look(self) -> bool:
        """Tell whether a frame's candidates can be told apart by their patch tokens."""
        return self.match_model() is not None and self.has_tokens()

    def tokens_size(self) -> tuple[int, int]:
        """Return how many places have patch tokens, and the bytes that these take."""
        return tokens_size(self._db) if self.has_tokens() else (0, 0)

    def close(self) -> None:
        """Close; a map that was written becomes a plain single file."""
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


def model_of_map(path: Path, model: Path | None = None) -> Path | None:
    """
    Return the model to open a map with.

    :param path: of the map.
    :param model: that somebody asks for; None for no matter which.
    :returns: that one, else the shipped one that the map was made with, else None: the default.
    """
    if model is not None:
        return model
    try:
        with PlaceMap.open_file(path) as place_map:
            return shipped_model_with(*(str(place_map.value(key)) for key in (
                'model_name', 'model_fingerprint')))
    except MapError:  # whoever opens it next tells why
        return None
