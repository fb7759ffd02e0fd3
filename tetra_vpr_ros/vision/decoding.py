# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Image messages to RGB arrays, without ROS: the one decoder of map builder and robot.

The conversions are those of cv_bridge (``imgmsg_to_cv2(msg, 'rgb8')``), with more encodings.
"""

from __future__ import annotations

from typing import Any

from tetra_vpr_ros.vision.compressed import decode_compressed
from tetra_vpr_ros.vision.compressed_structure import compressed_size
from tetra_vpr_ros.vision.picture import Image, ImageError, is_blank, MAX_PIXELS
from tetra_vpr_ros.vision.raw_encodings import decode_raw, SUPPORTED_ENCODINGS

__all__ = ['MAX_PIXELS', 'SUPPORTED_ENCODINGS', 'Image', 'ImageError', 'compressed_size',
           'decode_compressed', 'decode_message', 'decode_raw', 'is_blank']

_HEADER = 4096  # bytes in which a camera's JPEG tells its size


def decode_message(message: Any, least: int = 0) -> Image:
    """
    Decode a ``sensor_msgs/Image`` or ``CompressedImage`` to RGB uint8 ``[H, W, 3]``.

    :param message: of rclpy's class, or of a bag reader's with the same fields.
    :param least: pixels along the shorter side that will do, see `decode_compressed`.
    :raises ImageError: the message holds no valid picture; the text says why.
    """
    try:
        if hasattr(message, 'encoding'):
            # A driver's "raw" mode may pass a camera's JPEGs on as they are.
            begin = bytes(memoryview(message.data)[:_HEADER])
            if compressed_size(begin) == (message.height, message.width):
                return decode_compressed(message.data, least=least)
            return decode_raw(message.height, message.width, message.encoding, message.step,
                              message.data, bool(message.is_bigendian))
        return decode_compressed(message.data, str(getattr(message, 'format', '')), least)
    except (AttributeError, TypeError, OverflowError) as error:
        # A bag brings its own definitions: a message may be any under this name.
        raise ImageError(f'it is no image message: {error}') from error
