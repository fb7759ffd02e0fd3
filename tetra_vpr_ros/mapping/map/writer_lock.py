# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One writer at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tetra_vpr_ros.mapping.map.map_error import MapError


class WriterLock:
    """
    Keeps a second writer from a map; the system frees it when the process ends.

    :param path: of the map.
    :raises MapError: another process writes the map.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock or fail at once."""
        # Whatever the map is called: a link to it is the same map.
        self._path = Path(f'{path.resolve()}.lock')
        self._take(path)
        while not self._is_there():  # who released it a moment ago has removed what was opened
            self._file.close()
            self._take(path)

    def _take(self, path: Path) -> None:
        try:
            self._file = self._path.open('w')
        except OSError as error:
            raise MapError(f'{path} cannot be written: {error}') from error
        try:
            # On a file of its own: SQLite's locks end when any handle of the map is closed.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise MapError(f'{path} is being written by another process: wait until it has '
                           'ended') from error

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let another writer in."""
        self._path.unlink(missing_ok=True)
        self._file.close()
