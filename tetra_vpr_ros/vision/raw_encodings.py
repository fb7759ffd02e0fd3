# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pixels of ``sensor_msgs/Image``, in the encodings that cameras have, to RGB arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.vision.picture import check_size, Image, ImageError


@dataclass(frozen=True)
class _Encoding:
    """
    How the rows of an encoding are to be read.

    :ivar channels: of a pixel.
    :ivar conversion: of OpenCV to RGB; None where it is RGB.
    :ivar depth: bytes of a channel.
    :ivar chroma_rows: half as many rows of colours follow.
    """

    channels: int
    conversion: int | None
    depth: int = 1
    chroma_rows: bool = False


# OpenCV names a Bayer pattern by its second row and column, ROS by its first.
_BAYER = {'rggb': cv2.COLOR_BayerBG2RGB, 'bggr': cv2.COLOR_BayerRG2RGB,
          'gbrg': cv2.COLOR_BayerGR2RGB, 'grbg': cv2.COLOR_BayerGB2RGB}

_ENCODINGS: dict[str, _Encoding] = {
    '8UC1': _Encoding(1, cv2.COLOR_GRAY2RGB), '8UC3': _Encoding(3, cv2.COLOR_BGR2RGB),
    '8UC4': _Encoding(4, cv2.COLOR_BGRA2RGB),
    **{f'{name}{8 * depth}': _Encoding(channels, conversion, depth)
       for depth in (1, 2) for name, channels, conversion in (
           ('rgb', 3, None), ('bgr', 3, cv2.COLOR_BGR2RGB), ('rgba', 4, cv2.COLOR_RGBA2RGB),
           ('bgra', 4, cv2.COLOR_BGRA2RGB), ('mono', 1, cv2.COLOR_GRAY2RGB),
           *((f'bayer_{pattern}', 1, conversion) for pattern, conversion in _BAYER.items()))},
    'yuv422': _Encoding(2, cv2.COLOR_YUV2RGB_UYVY), 'uyvy': _Encoding(2, cv2.COLOR_YUV2RGB_UYVY),
    'yuv422_yuy2': _Encoding(2, cv2.COLOR_YUV2RGB_YUY2),
    'yuyv': _Encoding(2, cv2.COLOR_YUV2RGB_YUY2),
    'nv12': _Encoding(1, cv2.COLOR_YUV2RGB_NV12, chroma_rows=True),
    'nv21': _Encoding(1, cv2.COLOR_YUV2RGB_NV21, chroma_rows=True)}

SUPPORTED_ENCODINGS = tuple(_ENCODINGS)

_PAGE = 4096  # bytes by which a buffer may be longer than what is in it
_BY_LOWER = {name.lower(): encoding for name, encoding in _ENCODINGS.items()}
_DEPTHS = ('16uc1', '16sc1', '32fc1', '32sc1', '64fc1')
_FILMS = ('h264', 'h265', 'hevc', 'av1', 'ffmpeg')
_FILES = ('jpeg', 'jpg', 'mjpeg', 'png')


def decode_raw(height: int, width: int, encoding: str, step: int, data: Any,
               is_bigendian: bool = False) -> Image:
    """
    Decode the fields of a ``sensor_msgs/Image``.

    :param height: rows.
    :param width: columns.
    :param encoding: one of `SUPPORTED_ENCODINGS`.
    :param step: bytes of a row, padding included; 0, as some drivers leave it, is none.
    :param data: at least ``height * step`` bytes (anything with a buffer).
    :param is_bigendian: byte order of 16-bit encodings.
    :returns: RGB uint8 ``[height, width, 3]``.
    :raises ImageError: the image is empty, too large, of an unknown encoding, or
        its size does not fit its data.
    """
    layout, rows, step = _checked(height, width, encoding, step, memoryview(data).nbytes)
    row = width * layout.channels * layout.depth
    buffer = np.frombuffer(data, np.uint8)
    pixels: NDArray[Any] = np.ascontiguousarray(np.lib.stride_tricks.as_strided(
        buffer, (rows, row), (step, 1), writeable=False))
    if layout.depth == 2:
        pixels = pixels.view('>u2' if is_bigendian else '<u2').astype(np.uint16)
    if layout.channels > 1:
        pixels = pixels.reshape(rows, width, layout.channels)
    if layout.conversion is not None:
        pixels = cv2.cvtColor(pixels, layout.conversion)
    if layout.depth == 2:
        pixels = np.rint(pixels * (255.0 / 65535.0))
    return np.asarray(pixels, np.uint8).reshape(height, width, 3)


def _checked(height: int, width: int, encoding: str, step: int, size: int
             ) -> tuple[_Encoding, int, int]:
    """Return the layout, its rows and the bytes of each, where the fields fit together."""
    layout = _BY_LOWER.get(encoding.strip().lower())
    if layout is None:
        raise ImageError(f'encoding {encoding!r} is not supported: {_mend(encoding)}')
    check_size(height, width)
    row = width * layout.channels * layout.depth
    rows = height + height // 2 if layout.chroma_rows else height
    if step == 0 and size == rows * row:
        step = row
    if step < row:
        raise ImageError(
            f'step {step} is less than the {row} bytes of {width} pixels of {encoding}')
    if width % 2 and (layout.chroma_rows or layout.channels == 2):
        raise ImageError(f'{encoding} needs an even width, not {width}')
    if height % 2 and layout.chroma_rows:
        raise ImageError(f'{encoding} needs an even height, not {height}')
    if layout.conversion in _BAYER.values() and (height < 3 or width < 3):
        raise ImageError(f'{encoding} needs at least 3x3 pixels, not {width}x{height}')
    # The last row may come without its padding.
    if size < step * (rows - 1) + row:
        raise ImageError(f'{size} bytes of data for {rows} rows of step {step}')
    # More rows than the picture has are a buffer's; else they are longer than they say.
    more = size - step * rows
    longer = more > 0 and size % rows == 0 and size // rows % 4 == 0  # each by the same bytes
    if (more > _PAGE or longer) and (more % step or layout.chroma_rows):
        raise ImageError(f'{size} bytes of data for {rows} rows of step {step}: its driver pads '
                         'the rows, but does not say so in step')
    return layout, rows, step


def _mend(encoding: str) -> str:
    plain = encoding.strip().lower()
    if plain in _DEPTHS:
        return ("it holds depths or other measurements: choose the topic of the camera's colour "
                'or grey image, or let the driver call grey pixels mono8 or mono16')
    if plain in _FILMS:
        return ("it is a film's stream: make pictures of it, for example with 'ros2 run "
                "image_transport republish', and use their topic")
    if plain in _FILES:
        return 'its driver should publish it as sensor_msgs/CompressedImage'
    return ('let the driver publish rgb8, bgr8 or mono8; supported are '
            f"{', '.join(SUPPORTED_ENCODINGS)}")
