# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Image files of a folder, in the order in which a person counts."""

from __future__ import annotations

from pathlib import Path
import re

SUFFIXES = ('.jpg', '.jpeg', '.png')
"""Of the files that are taken for images, in lower case."""


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

    :param folder: that exists.
    :param deep: also those of the folders in it.
    """
    found = folder.rglob('*') if deep else folder.iterdir()
    return sorted((path for path in found if path.suffix.lower() in SUFFIXES),
                  key=lambda path: natural_order(str(path.relative_to(folder))))
