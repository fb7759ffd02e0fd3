# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Queries and transactions on a map's database, whose failures are MapErrors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
import sqlite3
from typing import Any

from tetra_vpr_ros.mapping.map.map_error import damage_told, MapError

_ROWS = 500  # of the file that are Python objects at a time: more do not fit the cache


class MapDatabase:
    """
    An open database.

    :param path: of the map, for the texts of errors.
    :param connection: to it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Wrap the connection."""
        self.path = path
        self._connection = connection

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """
        Return all rows of a query.

        :raises MapError: the file is damaged.
        """
        with damage_told(self.path):
            return self._connection.execute(query, values).fetchall()

    def batches(self, query: str) -> Iterator[list[Any]]:
        """
        Yield the rows of a query, some at a time.

        :raises MapError: the file is damaged.
        """
        with damage_told(self.path):
            rows = self._connection.execute(query)
        while True:
            with damage_told(self.path):
                batch = rows.fetchmany(_ROWS)
            if not batch:
                return
            yield batch

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read as the file is now, whatever another process writes meanwhile."""
        self.read('BEGIN')
        try:
            yield
        finally:
            with suppress(sqlite3.Error):  # where reading has failed it says why
                self._connection.execute('COMMIT')

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """
        Write all that is written inside, or nothing.

        :raises MapError: the file cannot be written.
        """
        try:
            self._connection.execute('BEGIN IMMEDIATE')
            try:
                yield self._connection
                self._connection.execute('COMMIT')
            except BaseException:
                if self._connection.in_transaction:  # SQLite may have rolled back itself
                    self._connection.execute('ROLLBACK')
                raise
        except (sqlite3.Error, UnicodeError, OverflowError, MemoryError) as error:
            raise MapError(f'{self.path} cannot be written: {error}') from error

    def close(self) -> None:
        """Close; a database that was written becomes a plain single file."""
        # It stays in WAL mode, which every reader understands, where another reader
        # holds the file or it is read-only.
        with suppress(sqlite3.Error, UnicodeError):
            self._connection.execute('PRAGMA journal_mode=DELETE')
        self._connection.close()
