# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures as a camera with a wider or a narrower view would take them."""

from __future__ import annotations

import math

import cv2
import numpy as np
from tetra_vpr_ros.vision.decoding import Image

FEWEST_PIXELS = 8
"""Along each side, that a crop leaves: less shows nothing."""
MOST_PADDED = 4.0
"""Times its side that a picture grows to at most: more would hold hardly any picture."""
_MOST_PIXELS = 4_000_000  # that a padded picture has: more than any model looks at


def with_view(image: Image, across: float, down: float) -> Image:
    """
    Crop or pad a picture about its centre to another view.

    What a narrower camera cannot see is made up by mirroring the picture at its borders:
    of the ways to fill it, this changes what the model sees least.

    :param image: RGB uint8 ``[H, W, 3]``.
    :param across: width of the wanted view as a share of the picture's, positive; below one
        crops, above one pads.
    :param down: likewise of the height.
    :returns: RGB uint8, at the resolution of the picture, or below where padding would make it
        larger than four million pixels.
    """
    height, width = image.shape[:2]
    if max(across, down) > 1.0:
        smaller = math.sqrt(_MOST_PIXELS / (_side(height, down) * _side(width, across)))
        if smaller < 1.0 and smaller * min(height, width) >= FEWEST_PIXELS:
            image = np.asarray(cv2.resize(image, None, fx=smaller, fy=smaller,
                                          interpolation=cv2.INTER_AREA), np.uint8)
            height, width = image.shape[:2]
    rows, columns = _side(height, down), _side(width, across)
    top, left = max(0, (height - rows) // 2), max(0, (width - columns) // 2)
    image = image[top:top + min(rows, height), left:left + min(columns, width)]
    above, before = max(0, (rows - height) // 2), max(0, (columns - width) // 2)
    below, after = max(0, rows - height - above), max(0, columns - width - before)
    if not (above or below or before or after):
        return image
    # Where it is less than half a picture a side is mirrored once, else again and again.
    return np.asarray(cv2.copyMakeBorder(image, above, below, before, after,
                                         cv2.BORDER_REFLECT), np.uint8)


def _side(pixels: int, share: float) -> int:
    return round(min(max(share * pixels, min(FEWEST_PIXELS, pixels)), MOST_PADDED * pixels))
