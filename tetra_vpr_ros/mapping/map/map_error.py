# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a map file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import sqlite3

# SQLite's own errors are the smaller part of what a damaged file raises: text that is no
# UTF-8 (also in the text of an error) is a UnicodeDecodeError, an announced gigabyte a
# MemoryError, a number of the wrong size an OverflowError, deep JSON a RecursionError.
_DAMAGE = (sqlite3.Error, ValueError, TypeError, LookupError, ArithmeticError, AttributeError,
           MemoryError, RecursionError, SystemError, OSError)


class MapError(RuntimeError):
    """A map file that cannot be used; the text names the file and how to mend it."""


class ModelMismatchError(MapError):
    """A map that was built with another model."""


@contextmanager
def damage_told(path: Path, what: str = '') -> Iterator[None]:
    """
    Turn whatever reading a damaged map raises into a MapError.

    :param path: of the map.
    :param what: was read, for the text.
    :raises MapError: the file is named.
    """
    try:
        yield
    except _DAMAGE as error:
        where = f'{what}: ' if what else ''
        raise MapError(f'{path} is damaged: {where}{str(error) or type(error).__name__}; '
                       'build it again') from error
