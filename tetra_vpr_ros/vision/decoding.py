# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Bytes of ``sensor_msgs`` images to RGB arrays, without ROS.

The conversions are those of cv_bridge (``imgmsg_to_cv2(msg, 'rgb8')``), so
that a robot with cv_bridge and a map builder without it see the same pixels.
"""

from __future__ import annotations

import struct
from typing import Any
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

MAX_PIXELS = 50_000_000
"""Frames above this are refused: no robot camera makes them, a broken driver does."""

# encoding -> (bytes per channel, channels, OpenCV conversion to RGB or None)
_ENCODINGS: dict[str, tuple[int, int, int | None]] = {
    'rgb8': (1, 3, None),
    'bgr8': (1, 3, cv2.COLOR_BGR2RGB),
    'rgba8': (1, 4, cv2.COLOR_RGBA2RGB),
    'bgra8': (1, 4, cv2.COLOR_BGRA2RGB),
    '8UC3': (1, 3, cv2.COLOR_BGR2RGB),
    'mono8': (1, 1, cv2.COLOR_GRAY2RGB),
    '8UC1': (1, 1, cv2.COLOR_GRAY2RGB),
    'mono16': (2, 1, cv2.COLOR_GRAY2RGB),
    # OpenCV names a Bayer pattern by its second row and column, ROS by its first.
    'bayer_rggb8': (1, 1, cv2.COLOR_BayerBG2RGB),
    'bayer_bggr8': (1, 1, cv2.COLOR_BayerRG2RGB),
    'bayer_gbrg8': (1, 1, cv2.COLOR_BayerGR2RGB),
    'bayer_grbg8': (1, 1, cv2.COLOR_BayerGB2RGB),
    'yuv422': (1, 2, cv2.COLOR_YUV2RGB_UYVY),
    'uyvy': (1, 2, cv2.COLOR_YUV2RGB_UYVY),
    'yuv422_yuy2': (1, 2, cv2.COLOR_YUV2RGB_YUY2),
    'yuyv': (1, 2, cv2.COLOR_YUV2RGB_YUY2),
}

SUPPORTED_ENCODINGS = tuple(_ENCODINGS)


class ImageError(ValueError):
    """An image message that cannot be turned into pixels; the text says why."""


def decode_raw(height: int, width: int, encoding: str, step: int, data: Any,
               is_bigendian: bool = False) -> Image:
    """
    Decode the fields of a ``sensor_msgs/Image``.

    :param height: rows.
    :param width: columns.
    :param encoding: one of `SUPPORTED_ENCODINGS`.
    :param step: bytes of a row, padding included.
    :param data: at least ``height * step`` bytes (anything with a buffer).
    :param is_bigendian: byte order of 16-bit encodings.
    :returns: RGB uint8 ``[height, width, 3]``.
    :raises ImageError: the image is empty, too large, of an unknown encoding, or
        its size does not fit its data.
    """
    check_raw(height, width, encoding, step, memoryview(data).nbytes)
    depth, channels, conversion = _ENCODINGS[encoding]
    row = width * channels * depth
    buffer = np.frombuffer(data, np.uint8)
    rows = np.lib.stride_tricks.as_strided(buffer, (height, row), (step, 1), writeable=False)
    pixels: NDArray[Any] = np.ascontiguousarray(rows)
    if depth == 2:
        wide = pixels.view('>u2' if is_bigendian else '<u2')
        pixels = np.rint(wide * (255.0 / 65535.0)).astype(np.uint8)
    pixels = pixels.reshape((height, width, channels) if channels > 1 else (height, width))
    if conversion is None:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, conversion), np.uint8)


def check_raw(height: int, width: int, encoding: str, step: int, size: int) -> None:
    """
    Check that the fields of a ``sensor_msgs/Image`` fit together.

    :param height: rows.
    :param width: columns.
    :param encoding: of the pixels.
    :param step: bytes of a row.
    :param size: bytes of data.
    :raises ImageError: as `decode_raw`.
    """
    if encoding not in _ENCODINGS:
        raise ImageError(
            f'encoding {encoding!r} is not supported; supported are '
            f"{', '.join(SUPPORTED_ENCODINGS)}")
    _check_size(height, width)
    depth, channels, _ = _ENCODINGS[encoding]
    row = width * channels * depth
    if step < row:
        raise ImageError(
            f'step {step} is less than the {row} bytes of {width} pixels of {encoding}')
    if encoding.startswith(('yuv', 'uyvy', 'yuyv')) and width % 2:
        raise ImageError(f'{encoding} needs an even width, not {width}')
    if encoding.startswith('bayer') and (height < 3 or width < 3):
        raise ImageError(f'{encoding} needs at least 3x3 pixels, not {width}x{height}')
    # The last row may come without its padding.
    if size < step * (height - 1) + row:
        raise ImageError(
            f'{size} bytes of data for {height} rows of step {step}')


def decode_compressed(data: Any) -> Image:
    """
    Decode the bytes of a ``sensor_msgs/CompressedImage`` (JPEG or PNG).

    :param data: the compressed picture.
    :returns: RGB uint8 ``[H, W, 3]``.
    :raises ImageError: the data is empty, truncated, of another format or too large.
    """
    buffer = np.frombuffer(data, np.uint8)
    if not buffer.size:
        raise ImageError('the compressed image is empty')
    size = compressed_size(buffer.tobytes())
    if size is None:
        raise ImageError(
            f'{buffer.size} bytes that are neither a JPEG nor a PNG picture')
    _check_size(*size)
    # OpenCV fills what is missing of a truncated picture with grey, and says nothing.
    # Some drivers pad a picture with zeros, so the end marker is searched, not expected.
    end = b'IEND' if buffer[0] == 0x89 else b'\xff\xd9'
    if end not in buffer[-2048:].tobytes():
        raise ImageError(f'the compressed picture is truncated ({buffer.size} bytes)')
    if buffer[0] == 0x89:
        _check_png(buffer.tobytes())
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f'OpenCV cannot decode the picture: {error.err}') from error
    if image is None:
        raise ImageError(f'{buffer.size} bytes of a JPEG or PNG picture that do not decode')
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def compressed_size(data: bytes) -> tuple[int, int] | None:
    """
    Read height and width from a JPEG or PNG header, before anything is decoded.

    A few hundred bytes of PNG can announce gigabytes of pixels.

    :returns: height and width, or None when the bytes are neither format.
    """
    if data[:8] == b'\x89PNG\r\n\x1a\n' and len(data) >= 24:
        width, height = struct.unpack('>II', data[16:24])
        return height, width
    if data[:2] != b'\xff\xd8':
        return None
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            height, width = struct.unpack('>HH', data[at + 5:at + 9])
            return height, width
        else:
            at += 2 + struct.unpack('>H', data[at + 2:at + 4])[0]
    return None


def _check_png(data: bytes) -> None:
    """
    Check that the chunks of a PNG follow one another to the end, unharmed.

    OpenCV 5.0 reads a file for ever in which a chunk is said to be nearly 4 GiB long.

    :raises ImageError: they do not.
    """
    at, kind = 8, b''
    while kind != b'IEND':
        length = int.from_bytes(data[at:at + 4], 'big')
        kind, end = data[at + 4:at + 8], at + 8 + length
        if end + 4 > len(data):
            raise ImageError(f'the compressed picture is truncated ({len(data)} bytes)')
        if zlib.crc32(data[at + 4:end]) != int.from_bytes(data[end:end + 4], 'big'):
            raise ImageError(f'the PNG picture is damaged: its {kind!r} at byte {at} has another '
                             'checksum than it says')
        at = end + 4


def _check_size(height: int, width: int) -> None:
    if height <= 0 or width <= 0:
        raise ImageError(f'the image is empty ({width}x{height})')
    if height * width > MAX_PIXELS:
        raise ImageError(
            f'{width}x{height} pixels are more than the {MAX_PIXELS} that are accepted')
