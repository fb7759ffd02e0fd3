# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""SQLite bags whose recorder was killed: their last messages are in a log beside them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
import shutil
import sqlite3


def log_of(file: Path) -> Path:
    """Return the name of SQLite's write-ahead log of a database."""
    return Path(f'{file}-wal')


def files_with_logs(bag: Path) -> list[Path]:
    """Return the databases of a bag, a file or a folder, beside which a log holds messages."""
    files = sorted(bag.glob('*.db3')) if bag.is_dir() else [bag]
    return [file for file in files if log_of(file).is_file() and log_of(file).stat().st_size]


def copy_with_logs(bag: Path, files: Sequence[Path], folder: Path) -> Path:
    """
    Copy a bag and let SQLite bring the logs into the copy; the bag itself stays as it is.

    :param bag: file or folder.
    :param files: those of `files_with_logs`.
    :param folder: for the copy; links there stand for the files that have no log.
    :returns: the copy.
    :raises OSError: there is no room for it.
    :raises sqlite3.Error: a database or its log is damaged.
    """
    if bag.is_dir():
        for file in bag.iterdir():
            if file not in files and file.suffix not in ('.db3-wal', '.db3-shm'):
                (folder / file.name).symlink_to(file.resolve())
    for file in files:
        copy = folder / file.name
        shutil.copyfile(file, copy)
        shutil.copyfile(log_of(file), log_of(copy))
        with closing(sqlite3.connect(copy)) as database:
            database.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()
            database.execute('PRAGMA journal_mode=DELETE').fetchall()
    return folder if bag.is_dir() else folder / bag.name
