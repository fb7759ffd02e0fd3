# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a camera that looks straight down, which have no upright."""

from __future__ import annotations

import math

import numpy as np
from tetra_vpr_ros.vision.decoding import Image
from tetra_vpr_ros.vision.field_of_view import with_view

_SAME = 1.02  # ratio of aspects below which a picture keeps its sides


def quarter_turned(image: Image, aspect: float | None = None) -> list[Image]:
    """
    Turn a picture by 0, 1, 2 and 3 quarters, counter-clockwise.

    A turned picture is tall where those of the map are wide: it is cropped and padded to
    their sides, because the model would stretch the ground.

    :param image: RGB uint8 ``[H, W, 3]``.
    :param aspect: width of the map's pictures over their height; None for that of this one.
    :returns: four pictures.
    """
    wanted = aspect or image.shape[1] / image.shape[0]
    turned = [np.ascontiguousarray(np.rot90(image, quarters)) for quarters in range(4)]
    return [_with_aspect(picture, wanted) for picture in turned]


def _with_aspect(image: Image, aspect: float) -> Image:
    """Give a picture other sides, of as large a view."""
    wider = aspect * image.shape[0] / image.shape[1]
    if max(wider, 1.0 / wider) < _SAME:
        return image
    return with_view(image, math.sqrt(wider), math.sqrt(1.0 / wider))
