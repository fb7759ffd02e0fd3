# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The file of a map: creating it whole, and opening it whatever state it was left in."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
import json
import os
from pathlib import Path
import sqlite3
import struct
from typing import Any

from tetra_vpr_ros.mapping.map.map_error import damage_told, MapError
from tetra_vpr_ros.mapping.map.schema import (
    APPLICATION_ID, check_schema, FORMAT_VERSION, SCHEMA, TOKENS)

_MAGIC = b'SQLite format 3\0'


def create_database(path: Path, metadata: Mapping[str, Any]) -> sqlite3.Connection:
    """
    Create the database of a map without places, open for writing.

    It is made beside its place and moved there: whatever stops the process, a file of that
    name is a map.

    :param path: of the map.
    :param metadata: JSON-serialisable values.
    :raises MapError: it cannot be created.
    """
    beginning = path.with_name(f'{path.name}.new')
    try:
        beginning.unlink(missing_ok=True)
        with closing(sqlite3.connect(beginning, isolation_level=None)) as db:
            db.execute('PRAGMA journal_mode=MEMORY')  # a kill leaves one file, not two
            db.executescript(
                f'BEGIN; PRAGMA application_id={APPLICATION_ID}; '
                f'PRAGMA user_version={FORMAT_VERSION}; {SCHEMA} {TOKENS};')
            db.executemany('INSERT INTO meta VALUES (?, ?)',
                           [(key, json.dumps(value)) for key, value in metadata.items()])
            db.execute('COMMIT')
        put_in_place(beginning, path)
        return _connect(path, writable=True)
    except (sqlite3.Error, OSError) as error:
        with suppress(OSError):
            beginning.unlink(missing_ok=True)
        raise MapError(f'{path} cannot be created: {error}') from error


def open_database(path: Path, writable: bool) -> sqlite3.Connection:
    """
    Open the database of a map; no code in it is run.

    :raises MapError: it is missing, no map, truncated, damaged or of another format version.
    """
    if not path.is_file():
        raise MapError(f'no map file {path}: make one with build_map')
    try:
        settle(path)
        _check_header(path)
        # Writing begins where it is known that this is a map.
        with closing(_connect(path, writable=False)) as db:
            _check(path, db)
        return _connect(path, writable)
    except (sqlite3.Error, OSError) as error:
        raise MapError(f'{path} cannot be opened: {error}') from error


def _connect(path: Path, writable: bool) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode={'rw' if writable else 'ro'}",
                         uri=True, isolation_level=None, check_same_thread=False)
    try:
        # A file from elsewhere must not bring code: no functions in views or triggers.
        db.execute('PRAGMA trusted_schema=OFF')
        db.execute('PRAGMA cell_size_check=ON')
        if writable:
            db.execute('PRAGMA journal_mode=WAL')
            db.execute('PRAGMA synchronous=NORMAL')
    except BaseException:
        db.close()
        raise
    return db


def _check(path: Path, db: sqlite3.Connection) -> None:
    with damage_told(path):
        application = db.execute('PRAGMA application_id').fetchone()[0]
        version = db.execute('PRAGMA user_version').fetchone()[0]
    if application != APPLICATION_ID:
        raise MapError(f'{path} is a database, but no map of this package: '
                       'make one with build_map')
    if version != FORMAT_VERSION:
        raise MapError(f'{path} has map format {version}, this version reads format '
                       f'{FORMAT_VERSION}: build the map again, or use a matching release')
    with damage_told(path):
        check_schema(db)


def check_creatable(path: Path) -> None:
    """
    Check that a new map can be created at a path.

    :raises MapError: the file exists, or its folder does not.
    """
    if path.exists():
        raise MapError(f'{path} exists: name another file, remove it, or continue it '
                       'with --resume or --append')
    if not path.parent.is_dir():
        raise MapError(f'{path} cannot be created: there is no folder {path.parent}')


def logs_of(path: Path) -> list[Path]:
    """Return the files that SQLite may have beside a database."""
    return [Path(f'{path}-{kind}') for kind in ('journal', 'wal', 'shm')]


def put_in_place(database: Path, path: Path) -> None:
    """
    Move a whole database to its place, in which another may lie.

    SQLite would play the logs beside that place into it, of a map that is gone or that a killed
    build left; whoever has the old map open keeps what is in them.

    :param database: that nobody has open.
    :param path: its place.
    """
    settle(path)
    for log in logs_of(path):
        log.unlink(missing_ok=True)
    os.replace(database, path)


def settle(path: Path) -> None:
    """
    Undo the change that a killed process was about to make, or complete what it had made.

    What it left lies in files beside the database, which a reader may not touch and which would
    be played into whatever takes the database's place.

    :param path: of a database, or of nothing.
    """
    if path.is_file() and any(log.exists() for log in logs_of(path)):
        with suppress(sqlite3.Error, UnicodeError), closing(sqlite3.connect(
                f'{path.resolve().as_uri()}?mode=rw', uri=True)) as db:
            db.execute('SELECT count(*) FROM sqlite_master').fetchone()
        # Where that fails, opening tells what is wrong.


def is_database(path: Path) -> bool:
    """Tell whether a file begins like a map; one that is cut off does, too."""
    with path.open('rb') as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _check_header(path: Path) -> None:
    """Tell a file that is no database, or half of one, before SQLite does less clearly."""
    with path.open('rb') as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise MapError(f'{path} is not a map file (no SQLite database): '
                       'make one with build_map')
    if Path(f'{path}-wal').exists():
        return  # a build is running or was killed: the log completes the file
    page_size = struct.unpack('>H', header[16:18])[0]
    page_size = 65536 if page_size == 1 else page_size
    pages = struct.unpack('>I', header[28:32])[0]
    size = path.stat().st_size
    if size < page_size * pages:
        raise MapError(f'{path} is truncated: {size} of {page_size * pages} bytes; '
                       'copy it again')
