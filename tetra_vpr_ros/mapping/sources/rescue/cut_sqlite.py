# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""SQLite bags that were cut off, as by a full disk or a copy that stopped, or lost pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
import sqlite3

from tqdm import tqdm

_TABLES = ('schema', 'metadata', 'topics', 'message_definitions', 'messages')  # of rosbag2
_FARTHEST = 1 << 24  # rows that are passed over at most, to find the next one that is whole


def recover_sqlite(path: Path, output: Path, progress: bool = False) -> int:
    """
    Copy what can be read of an SQLite bag; its messages in the order of the recording.

    :param path: of the damaged file, which stays as it is.
    :param output: of the copy, which is whole.
    :param progress: show a bar.
    :returns: how many messages were recovered; 0 where the file is no SQLite bag at all.
    """
    count = 0
    # What SQLite finds wrong ends the copy where it stands: what was copied is whole.
    with suppress(sqlite3.Error), closing(_opened(path)) as damaged, closing(
            sqlite3.connect(output)) as copy:
        made = [row for row in damaged.execute(
            'SELECT type, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL')
            if row[1] in _TABLES]
        for kind, name, sql in made:
            if kind == 'table':
                copy.execute(sql)
            if kind == 'table' and name != 'messages':
                with suppress(sqlite3.Error):
                    for row in damaged.execute(f'SELECT * FROM {name}'):  # noqa: S608, see above
                        _insert(copy, name, row)
        with tqdm(desc=f'recovering {path.name}', unit='message', leave=False,
                  disable=not progress) as bar:
            for row in _messages(damaged):
                _insert(copy, 'messages', row)
                count += 1
                bar.update()
        for kind, _, sql in made:
            if kind == 'index':
                copy.execute(sql)
        copy.commit()
    return count


def _opened(path: Path) -> sqlite3.Connection:
    made = sqlite3.connect(f'{path.resolve().as_uri()}?immutable=1', uri=True)
    # Without it SQLite does not look into a file that is shorter than its header says.
    made.execute('PRAGMA writable_schema = ON')
    return made


def _insert(copy: sqlite3.Connection, table: str, row: tuple[object, ...]) -> None:
    places = ', '.join('?' * len(row))
    copy.execute(f'INSERT INTO {table} VALUES ({places})', row)  # noqa: S608, one of _TABLES


def _messages(damaged: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    """Yield the messages that are whole; where some are not, go on at the next that is."""
    last, step = -1, 1
    while step <= _FARTHEST:
        with suppress(sqlite3.Error):
            for row in damaged.execute(
                    'SELECT rowid, * FROM messages NOT INDEXED WHERE rowid >= ? ORDER BY rowid',
                    (last + step,)):
                last, step = row[0], 1
                yield row[1:]
            return
        step *= 2
