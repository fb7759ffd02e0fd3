# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The tables of a map file."""

from __future__ import annotations

import re
import sqlite3

FORMAT_VERSION = 1
APPLICATION_ID = 0x56505231  # 'VPR1'

SCHEMA = """
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


# Maps of before 0.4 lack it.
TOKENS = """CREATE TABLE token (
    place INTEGER PRIMARY KEY REFERENCES place(id), tokens BLOB NOT NULL)"""


def _plain(sql: str) -> str:
    return re.sub(r'\s+', ' ', sql).strip()


_TABLES = {_plain(sql) for sql in SCHEMA.split(';') if sql.strip()}
_OPTIONAL = {'token': _plain(TOKENS)}


def check_schema(db: sqlite3.Connection) -> None:
    """
    Check that a database has the tables of a map, and no code: no views, no triggers.

    Tables beside them are of no concern.

    :raises ValueError: it has not.
    """
    found = db.execute('SELECT type, name, sql FROM sqlite_master').fetchall()
    code = [name for kind, name, _ in found if kind not in ('table', 'index')]
    if code:
        raise ValueError(f'its schema has code in it: {code[0]}')
    # The text itself is compared: a column may be an expression, or a table of another kind.
    missing = _TABLES - {_plain(sql) for kind, _, sql in found if kind == 'table'}
    if missing:
        raise ValueError(f"its schema lacks '{min(missing)}'")
    for _, name, sql in found:
        if name in _OPTIONAL and _plain(sql or '') != _OPTIONAL[name]:
            raise ValueError(f"its table '{name}' is another than '{_OPTIONAL[name]}'")
