# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Image files of a folder, in the order in which a person counts, and what their names say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import math
import os
from pathlib import Path
import re

SUFFIXES = ('.jpg', '.jpeg', '.png')
"""Of the files that are taken for images, in lower case."""

# Folders in which archives, disk stations and file systems keep their own.
_NOT_OURS = ('__MACOSX', '@eaDir', 'lost+found', 'System Volume Information', '$RECYCLE.BIN')


def natural_order(name: str) -> tuple[list[str | int], str]:
    """
    Return a key that sorts names by the numbers in them: 2 before 10.

    :param name: of a file.
    """
    # Every second part is a number. Equal numbers may be written in several ways (7, 07):
    # the name itself then decides, and the order is the same on every file system.
    parts: list[str | int] = list(re.split(r'(\d+)', name))
    parts[1::2] = [int(part) for part in parts[1::2]]
    return parts, name


def image_files(folder: Path, deep: bool = False) -> list[Path]:
    """
    List the images of a folder in natural order.

    Hidden files are none: macOS puts ``._view.jpg`` beside ``view.jpg`` on foreign disks.

    :param folder: that exists.
    :param deep: also those of the folders in it, each once, even where links lead to it.
    """
    seen: set[Path] = {folder.resolve()}
    found = [path for path in _files(folder, deep, seen) if path.suffix.lower() in SUFFIXES]
    return sorted(found, key=lambda path: natural_order(str(path.relative_to(folder))))


def _files(folder: Path, deep: bool, seen: set[Path]) -> Iterator[Path]:
    entries = sorted((entry for entry in os.scandir(folder)
                      if not entry.name.startswith('.') and entry.name not in _NOT_OURS),
                     key=lambda entry: entry.name)
    folders = [entry for entry in entries if _is_folder(entry)]
    yield from (Path(entry.path) for entry in entries if entry not in folders)
    if not deep:
        return
    for entry in sorted(folders, key=lambda entry: entry.is_symlink()):  # links come last
        path = Path(entry.path)
        if path.resolve() not in seen:
            seen.add(path.resolve())
            yield from _files(path, deep, seen)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # A link that leads nowhere, in a circle or where one may not look is none: the reading of
    # the file tells of it, if it is called as a picture is.
    try:
        return entry.is_dir()
    except OSError:
        return False


@dataclass(frozen=True)
class ViewName:
    """
    What the name of a picture says of its camera, as VPR-methods-evaluation has it.

    ``@ east @ north @ zone @ letter @ latitude @ longitude @ panorama @ tile @ heading @ pitch
    @ roll @ height @ stamp @ note @``. Numbers are None where there are none, and NaN where they
    are not finite: whoever wrote them did not know.

    :ivar east: metres.
    :ivar north: metres.
    :ivar latitude: degrees.
    :ivar longitude: degrees.
    :ivar panorama: name of the place.
    :ivar tile: of the view.
    :ivar heading: degrees clockwise from north.
    :ivar pitch: degrees.
    :ivar roll: degrees.
    :ivar height: metres.
    :ivar stamp: as it is written.
    """

    east: float | None = None
    north: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    panorama: str = ''
    tile: str = ''
    heading: float | None = None
    pitch: float | None = None
    roll: float | None = None
    height: float | None = None
    stamp: str = ''

    @classmethod
    def of(cls, name: str) -> ViewName:
        """
        Read a name; one that is none has no position.

        :param name: of a file.
        """
        # What stands before the first @ is no field.
        fields = (name.split('@') + [''] * 14)[1:14]
        return cls(_number(fields[0]), _number(fields[1]), _number(fields[4]),
                   _number(fields[5]), fields[6], fields[7], _number(fields[8]),
                   _number(fields[9]), _number(fields[10]), _number(fields[11]), fields[12])

    def __str__(self) -> str:
        """Write the name of a JPEG file."""
        def written(value: float | None, digits: int) -> str:
            return '' if value is None else f'{value:.{digits}f}'

        fields = (written(self.east, 3), written(self.north, 3), '', '',
                  written(self.latitude, 8), written(self.longitude, 8), self.panorama, self.tile,
                  *(written(angle, 2) for angle in (self.heading, self.pitch, self.roll)),
                  written(self.height, 3), self.stamp, '')
        return f'@{"@".join(fields)}@.jpg'


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else math.nan
