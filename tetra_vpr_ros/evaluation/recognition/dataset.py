# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders of images that are evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.vision import decode_compressed, ImageError
from tetra_vpr_ros.vision.image_files import image_files


class DatasetError(RuntimeError):
    """A dataset folder that cannot be used; the text names it."""


def images_of(folder: Path) -> list[Path]:
    """
    List the images of a folder in natural order (2 before 10).

    :raises DatasetError: the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise DatasetError(f'no such image folder: {folder}')
    files = image_files(folder)
    if not files:
        raise DatasetError(f'no jpg or png in {folder}')
    return files


def read_image(path: Path) -> NDArray[np.uint8]:
    """
    Read an image file as RGB.

    :raises DatasetError: it cannot be read or does not decode; it is named.
    """
    try:
        return decode_compressed(path.read_bytes())
    except (ImageError, OSError) as error:
        raise DatasetError(f'{path}: {error}') from error
