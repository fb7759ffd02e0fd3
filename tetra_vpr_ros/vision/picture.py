# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a picture is to this package, and what is none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

MAX_PIXELS = 50_000_000
"""Frames above this are refused: no robot camera makes them, a broken driver does."""


class ImageError(ValueError):
    """An image message that cannot be turned into pixels; the text says why."""


def check_size(height: int, width: int) -> None:
    """
    Check that a picture has pixels, and not too many.

    :raises ImageError: it has none, or too many.
    """
    if height <= 0 or width <= 0:
        raise ImageError(f'the image is empty ({width}x{height})')
    if height * width > MAX_PIXELS:
        raise ImageError(
            f'{width}x{height} pixels are more than the {MAX_PIXELS} that are accepted')
