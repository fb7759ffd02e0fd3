# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The database of a map: its schema, and opening it whatever state it was left in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
import sqlite3
import struct

from tetra_vpr_ros.mapping.map.map_error import MapError

FORMAT_VERSION = 1
_APPLICATION_ID = 0x56505231  # 'VPR1'

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE session (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE,
    start_ns INTEGER, end_ns INTEGER, complete INTEGER NOT NULL DEFAULT 0);
CREATE TABLE place (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES session(id),
    stamp_ns INTEGER NOT NULL,
    x REAL NOT NULL, y REAL NOT NULL, z REAL NOT NULL,
    qx REAL NOT NULL, qy REAL NOT NULL, qz REAL NOT NULL, qw REAL NOT NULL,
    latitude REAL, longitude REAL, altitude REAL,
    descriptor BLOB NOT NULL);
CREATE TABLE thumbnail (place INTEGER PRIMARY KEY REFERENCES place(id), jpeg BLOB NOT NULL);
CREATE TABLE features (
    place INTEGER PRIMARY KEY REFERENCES place(id),
    keypoints BLOB NOT NULL, descriptors BLOB NOT NULL);
"""


def create_database(path: Path) -> sqlite3.Connection:
    """
    Create the empty database of a map.

    :raises MapError: it cannot be created.
    """
    try:
        db = sqlite3.connect(path, isolation_level=None)
        _write_ahead(db)
        # One transaction: a file with half a schema never exists.
        db.executescript(
            f'BEGIN; PRAGMA application_id={_APPLICATION_ID}; '
            f'PRAGMA user_version={FORMAT_VERSION}; {_SCHEMA} COMMIT;')
    except sqlite3.Error as error:
        raise MapError(f'{path} cannot be created: {error}') from error
    return db


def open_database(path: Path, writable: bool) -> sqlite3.Connection:
    """
    Open the database of a map; no code in it is run.

    :raises MapError: it is missing, no map, truncated, damaged or of another format version.
    """
    if not path.is_file():
        raise MapError(f'no map file {path}: make one with build_map')
    _roll_back(path)
    _check_header(path)
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode={'rw' if writable else 'ro'}",
                             uri=True, isolation_level=None, check_same_thread=False)
        # A file from elsewhere must not bring code: no functions in views or triggers.
        db.execute('PRAGMA trusted_schema=OFF')
        db.execute('PRAGMA cell_size_check=ON')
        if writable:
            _write_ahead(db)
        application = db.execute('PRAGMA application_id').fetchone()[0]
        version = db.execute('PRAGMA user_version').fetchone()[0]
    except sqlite3.Error as error:
        raise MapError(f'{path} cannot be opened: {error}') from error
    if application != _APPLICATION_ID:
        db.close()
        raise MapError(f'{path} is a database, but no map of this package: '
                       'make one with build_map')
    if version != FORMAT_VERSION:
        db.close()
        raise MapError(f'{path} has map format {version}, this version reads format '
                       f'{FORMAT_VERSION}: build the map again, or use a matching release')
    return db


def _write_ahead(db: sqlite3.Connection) -> None:
    db.execute('PRAGMA journal_mode=WAL')
    db.execute('PRAGMA synchronous=NORMAL')


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


def _roll_back(path: Path) -> None:
    """Undo the change that a killed process was about to make: a reader may not."""
    if Path(f'{path}-journal').exists():
        with suppress(sqlite3.Error):  # opening tells what is wrong
            db = sqlite3.connect(f'{path.resolve().as_uri()}?mode=rw', uri=True)
            db.execute('SELECT count(*) FROM sqlite_master').fetchone()
            db.close()


def _check_header(path: Path) -> None:
    """Tell a file that is no database, or half of one, before SQLite does less clearly."""
    with path.open('rb') as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(b'SQLite format 3\0'):
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
