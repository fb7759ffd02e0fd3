# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A frame beside the place that it was taken for, as one picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.vision.decoding import decode_compressed
from tetra_vpr_ros.vision.picture import ImageError

_HEIGHT = 240  # pixels of both pictures
_LINE = 24     # pixels of the text below
_WIDEST = 16_000  # pixels; two of them fit into a JPEG


def side_by_side(query: NDArray[np.uint8], reference: bytes | None, text: str) -> bytes:
    """
    Draw a query beside the matched reference.

    :param query: RGB uint8 ``[H, W, 3]``.
    :param reference: JPEG of the place, or None when the map has no thumbnails.
    :param text: written below.
    :returns: a JPEG.
    :raises ImageError: a picture cannot be drawn.
    """
    left = _fitted(query)
    right = (np.full_like(left, 40) if reference is None
             else _fitted(decode_compressed(reference)))
    picture = np.asarray(cv2.copyMakeBorder(np.hstack([left, right]), 0, _LINE, 0, 0,
                                            cv2.BORDER_CONSTANT), np.uint8)
    cv2.putText(picture, text, (6, _HEIGHT + 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45,
                (255, 255, 255), 1, cv2.LINE_AA)
    return _jpeg(picture)


def _fitted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    width = max(1, round(image.shape[1] * _HEIGHT / image.shape[0]))
    if width > _WIDEST:  # a frame of one row would be gigabytes here
        raise ImageError(f'a frame of {image.shape[1]}x{image.shape[0]} cannot be drawn: it would '
                         f'be {width} pixels wide')
    return np.asarray(cv2.resize(image, (width, _HEIGHT), interpolation=cv2.INTER_AREA))


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    _, data = cv2.imencode('.jpg', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return data.tobytes()
