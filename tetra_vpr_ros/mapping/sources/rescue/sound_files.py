# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which files of a damaged bag are sound, and copies of what the others hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tetra_vpr_ros.mapping.sources.rescue.cut_sqlite import recover_sqlite


class MissingMcapError(RuntimeError):
    """A file can be read only with the package mcap, which is not installed."""


def storage_files(bag: Path) -> list[Path]:
    """Return the files with messages of a bag, a file or a folder."""
    return [file for file in (sorted(bag.iterdir()) if bag.is_dir() else [bag])
            if file.suffix in ('.mcap', '.db3')]


def sound_files(bag: Path, problem: Callable[[Path], str], folder: Path, progress: bool = False,
                among_messages: bool = False) -> tuple[list[Path], list[str]]:
    """
    Return files that are whole and hold everything that can be read of a bag.

    :param bag: file or folder, which stays as it is.
    :param problem: tells why a file cannot be opened; empty when it can.
    :param folder: for copies of files that cannot.
    :param progress: show a bar.
    :param among_messages: files that can be opened may be damaged further in: copy them, too.
    :returns: the files, in order, and what was wrong with them, for a person.
    :raises MissingMcapError: the package mcap is not installed.
    :raises OSError: there is no room for the copies.
    """
    files, told = [], []
    for file in storage_files(bag):
        why = problem(file)
        if not why and not among_messages:
            files.append(file)
            continue
        copy = folder / file.name
        count = _recover(file, copy, progress)
        if count:
            files.append(copy)
        if why:
            told.append(f'{file} is cut off or damaged ({why}): ' + (
                f'{count} messages were recovered' if count else 'nothing in it can be read'))
    return files, told


def _recover(file: Path, copy: Path, progress: bool) -> int:
    if file.suffix == '.db3':
        return recover_sqlite(file, copy, progress)
    try:
        from tetra_vpr_ros.mapping.sources.rescue.cut_mcap import recover_mcap
    except ImportError as missing:  # it is in no distribution's packages
        raise MissingMcapError('to read what it holds, pip install mcap') from missing
    return recover_mcap(file, copy, progress)
