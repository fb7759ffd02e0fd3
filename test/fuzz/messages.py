# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Camera messages with fields and data of any kind."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
import json
from pathlib import Path
from typing import Any

import cv2
from fuzz.mutation import damaged, pick
import numpy as np
from tetra_vpr_ros.vision import decode_compressed, decode_raw, ImageError
from tetra_vpr_ros.vision.decoding import compressed_size, SUPPORTED_ENCODINGS

_ROS = find_spec('sensor_msgs') is not None
if _ROS:
    from sensor_msgs.msg import CompressedImage, Image
    from tetra_vpr_ros.nodes.localizer.conversions import image_from_message

_ENCODINGS = (*SUPPORTED_ENCODINGS, '', '32FC1', 'jpeg', 'RGB8', 'rgb8 ', '\N{SNOWMAN}')
_SIZES = (0, 1, 2, 3, 4, 23, 24, 32, 33, 64, 65, 96, 128, 7071, 65535, 2**31, 2**32 - 1)


@lru_cache(maxsize=1)
def _pictures() -> tuple[bytes, ...]:
    picture = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(picture, (9, 9), 4)
    made = [cv2.imencode('.jpg', smooth, [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])[1]
            for progressive in (0, 1)]
    made += [cv2.imencode('.png', image)[1] for image in (
        picture, picture[:, :, 0], np.dstack([picture, picture[:, :, :1]]),
        picture.astype(np.uint16) * 257)]
    made += [cv2.imencode(suffix, smooth)[1] for suffix in ('.jpg', '.bmp', '.webp')]
    return tuple(data.tobytes() for data in made)


def damage(rng: np.random.Generator) -> bytes:
    """Return a line of JSON, the fields, and the bytes of the picture."""
    if rng.integers(2):
        data = damaged(rng, pick(rng, _pictures()))
        return json.dumps({'format': 'jpeg'}).encode() + b'\n' + data
    encoding = pick(rng, _ENCODINGS)
    height, width = (int(pick(rng, _SIZES)) for _ in range(2))
    row = width * int(pick(rng, (1, 2, 3, 4)))
    step = row if rng.integers(2) else int(pick(rng, _SIZES))
    size = min(height * step if rng.integers(3) else int(rng.integers(0, 20_000)), 100_000)
    fields = {'height': height, 'width': width, 'encoding': encoding,
              'step': min(step, 2**32 - 1), 'is_bigendian': int(rng.integers(2))}
    return json.dumps(fields).encode() + b'\n' + rng.bytes(max(size - int(rng.integers(3)), 0))


def check(data: bytes, folder: Path) -> str:
    """Decode a message, of the package's own classes and of ROS where it is installed."""
    line, _, content = data.partition(b'\n')
    fields: dict[str, Any] = json.loads(line)
    told, image = False, None
    try:
        if 'format' in fields:
            image = decode_compressed(content)
            assert image.shape[:2] == compressed_size(content)
        else:
            image = decode_raw(fields['height'], fields['width'], fields['encoding'],
                               fields['step'], content, bool(fields['is_bigendian']))
            assert image.shape[:2] == (fields['height'], fields['width'])
            assert len(content) >= fields['step'] * (fields['height'] - 1)
    except ImageError:
        told = True
    if image is not None:
        assert image.dtype == np.uint8
        assert image.ndim == 3 and image.shape[2] == 3
    if _ROS:
        _check_ros(fields, content, image)
    return 'told' if told else 'fine'


def _check_ros(fields: dict[str, Any], content: bytes, image: np.ndarray | None) -> None:
    message = CompressedImage() if 'format' in fields else Image()
    for name, value in fields.items():
        setattr(message, name, value)
    message.data = content
    try:
        converted = image_from_message(message)
    except ImageError:
        assert image is None
        return
    assert image is not None
    assert converted.shape == image.shape
