# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders of training images, and the split that chooses between checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import hashlib
import logging
from pathlib import Path

import cv2
import numpy as np

_LOG = logging.getLogger(__name__)
_SUFFIXES = {'.jpg', '.jpeg', '.png'}


@dataclass(frozen=True)
class PoolImage:
    """One training image: where it lies and a name that is the same on every machine."""

    path: Path
    name: str

    @property
    def held_out(self) -> bool:
        """
        Tell whether the image belongs to the validation split (5 %).

        The split hashes the name, so that it never depends on which other
        folders were given.
        """
        return hashlib.sha256(self.name.encode()).digest()[0] < 13


def find_images(folders: Sequence[Path]) -> list[PoolImage]:
    """
    List the images below each folder, sorted by name.

    :param folders: searched recursively; names are ``<folder>/<relative path>``.
    :raises FileNotFoundError: a folder is missing or holds no image; it is named.
    """
    found: list[PoolImage] = []
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f'no such image folder: {folder}')
        here = [PoolImage(path, f'{folder.name}/{path.relative_to(folder).as_posix()}')
                for path in folder.rglob('*') if path.suffix.lower() in _SUFFIXES]
        if not here:
            raise FileNotFoundError(f'no jpg or png below {folder}')
        found += sorted(here, key=lambda image: image.name)
    return found


def read_rgb(path: Path) -> np.ndarray | None:
    """Decode an image to uint8 RGB ``[H, W, 3]``; None, with a warning, if it cannot be."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        _LOG.warning('skipped %s: it does not decode', path)
        return None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
