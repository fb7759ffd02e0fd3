# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a picture is to this package, and what is none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

MAX_PIXELS = 120_000_000
"""Pictures above this are refused: no camera makes them, a broken driver or file does."""


_BLANK = 16  # values of 256


class ImageError(ValueError):
    """An image message that cannot be turned into pixels; the text says why."""


def is_blank(image: Image) -> bool:
    """
    Tell whether a picture shows hardly anything: its green values lie within 16 of 256.

    One of a hundred may lie elsewhere at either end: hot pixels, a line of text.

    :param image: RGB uint8 ``[H, W, 3]``.
    """
    height, width = image.shape[:2]
    seen = image[::max(1, height // 60), ::max(1, width // 80), 1]  # so many tell as much as all
    low, high = np.percentile(seen, (1, 99))
    return bool(high - low < _BLANK)


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
