# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Arrays that lie on the disk and are filled bit by bit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np


def memory_map(path: Path, kind: type, shape: tuple[int, ...]) -> np.ndarray:
    """
    Open an array on the disk for writing, or create it, of zeros.

    A new one takes all of its room at once: on a full disk the process would be killed by a bus
    error later, in the middle of a write.

    :param path: ``.npy``.
    :param kind: of its numbers.
    :param shape: of it.
    :raises ValueError: there is another array, or none that can be read.
    :raises OSError: it cannot be created, or there is no room; the file is named.
    """
    if path.exists():
        try:
            found = np.lib.format.open_memmap(path, 'r+')
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f'{path} is damaged: remove {path.parent} or name another cache'
                             ) from error
        if found.shape != shape or found.dtype != kind:
            raise ValueError(f'{path} holds {found.dtype} {found.shape}, not {np.dtype(kind)} '
                             f'{shape}: remove {path.parent} or name another cache')
        return found
    made = np.lib.format.open_memmap(path, 'w+', kind, shape)
    try:
        with path.open('r+b') as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink()
        raise OSError(error.errno, f'no room for the cache: {os.strerror(error.errno)}',
                      str(path)) from error
    return made
