# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the file of the map is still the one that was loaded."""

from __future__ import annotations

from pathlib import Path


class MapWatch:
    """
    Remembers a file as it is now.

    :param path: of the map.
    """

    def __init__(self, path: Path) -> None:
        """Look at it."""
        self._path = path
        self._known = self._look()

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def changed(self) -> str:
        """Return what happened to the file since the last look; empty for nothing."""
        before, self._known = self._known, self._look()
        if self._known == before:
            return ''
        if self._known is None:
            return 'was deleted: the node goes on with what it has open'
        if before is None or self._known[0] != before[0]:
            return 'was replaced: the node goes on with the old one until it is configured again'
        return ('was overwritten while it is in use: thumbnails and second looks may be wrong; '
                'configure the node again, and replace maps by renaming (mv) instead')
