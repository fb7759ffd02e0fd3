# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Compressed pictures of files and of ``sensor_msgs/CompressedImage`` to RGB arrays."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from tetra_vpr_ros.vision.compressed_structure import compressed_size, JPEG, picture_end
from tetra_vpr_ros.vision.picture import check_size, Image, ImageError
from tetra_vpr_ros.vision.raw_encodings import decode_raw

_REDUCED = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4),
            (2, cv2.IMREAD_REDUCED_COLOR_2))
_VIDEO = ("a film's stream and no picture: make pictures of it, for example with 'ros2 run "
          "image_transport republish', and use their topic")
_FILE = 'save or publish it as JPEG or PNG'
# Beginnings of what is known to come, and what to do with it.
_OTHERS = ((b'\x00\x00\x00\x01', f'H.264 or H.265, {_VIDEO}'),
           (b'\x00\x00\x01', f'H.264 or H.265, {_VIDEO}'), (b'RIFF', f'WebP: {_FILE}'),
           (b'GIF8', f'GIF: {_FILE}'), (b'BM', f'BMP: {_FILE}'), (b'II*\x00', f'TIFF: {_FILE}'),
           (b'MM\x00*', f'TIFF: {_FILE}'), (b'\xff\x0a', f'JPEG XL: {_FILE}'))


def decode_compressed(data: Any, form: str = '', least: int = 0) -> Image:
    """
    Decode the bytes of a ``sensor_msgs/CompressedImage`` (JPEG or PNG).

    :param data: the compressed picture; what follows its end is left alone.
    :param form: the message's ``format``, of which only a Bayer pattern matters: the bytes say
        themselves what they are, and drivers leave it empty or write what they like.
    :param least: pixels along the shorter side that will do: a JPEG is decoded at a half, a
        quarter or an eighth of its size where that leaves as many, which takes less time; 0 for
        its full size.
    :returns: RGB uint8 ``[H, W, 3]``.
    :raises ImageError: the data is empty, truncated, of another format or too large.
    """
    content = np.frombuffer(data, np.uint8).tobytes()
    if not content:
        raise ImageError('the compressed image is empty')
    size = compressed_size(content)
    if size is None:
        raise ImageError(f'{len(content)} bytes that are neither a JPEG nor a PNG picture'
                         f'{_what_else(content, form)}')
    check_size(*size)
    encoding = form.partition(';')[0].strip().lower()
    if encoding in ('16uc1', '32fc1'):
        raise ImageError(f'the format {form!r} says that it holds depths, not a picture: choose '
                         "the topic of the camera's colour or grey image")
    buffer = np.frombuffer(content, np.uint8, picture_end(content))
    # The transport compresses a mosaic as it is: the pattern then stands in the format only.
    bayer = encoding.startswith('bayer_')
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED if bayer else
                             _scaled(content, min(size), least))
        if image is not None and bayer and image.ndim == 3:
            image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f'OpenCV cannot decode the picture: {error.err}') from error
    if image is None:
        raise ImageError(f'{len(content)} bytes of a JPEG or PNG picture that do not decode')
    if image.ndim == 2:
        depth, (height, width) = image.dtype.itemsize, image.shape
        return decode_raw(height, width, f"{encoding.rstrip('0123456789')}{8 * depth}",
                          width * depth, image.astype(f'<u{depth}').tobytes())
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _scaled(content: bytes, side: int, least: int) -> int:
    """Return how OpenCV is to read a picture with so many pixels along its shorter side."""
    if least and content.startswith(JPEG):
        for scale, how in _REDUCED:
            if side >= scale * least:
                return how
    return cv2.IMREAD_COLOR


def _what_else(content: bytes, form: str) -> str:
    if 'compressedDepth' in form:
        return f', but depths ({form!r}): choose the topic of the colour or grey image'
    if form.lower() in ('h264', 'h265', 'hevc', 'av1', 'vp8', 'vp9'):
        return f', but {form}, {_VIDEO}'
    if content[4:8] == b'ftyp':
        return f', but HEIF or a film: {_FILE}'
    return next((f', but {what}' for begin, what in _OTHERS if content.startswith(begin)),
                f' (format {form!r}): {_FILE}' if form else '')
