# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a camera, a bag or a stranger sends: pixels, or an ImageError."""

import cv2
from hypothesis import example, given, settings, strategies
import numpy as np
import pytest
from tetra_vpr_ros.vision import decode_compressed, decode_raw, ImageError
from tetra_vpr_ros.vision.decoding import compressed_size, SUPPORTED_ENCODINGS

PICTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
WHOLE = {suffix: cv2.imencode(suffix, PICTURE)[1].tobytes() for suffix in ('.jpg', '.png')}
# Sizes as a message can carry them; the unsigned 32 bits are the message's own.
NUMBERS = strategies.one_of(strategies.integers(0, 70), strategies.integers(0, 2**32 - 1))


@pytest.mark.parametrize('suffix', WHOLE)
@settings(max_examples=500, deadline=None)
@given(changes=strategies.lists(strategies.tuples(
    strategies.integers(0, 10**6), strategies.integers(0, 255)), max_size=6),
    cut=strategies.integers(0, 10**6), more=strategies.binary(max_size=40))
@example(changes=[], cut=0, more=b'')
def test_damaged_pictures(suffix, changes, cut, more):
    data = bytearray(WHOLE[suffix])
    for at, value in changes:
        data[at % len(data)] = value
    data = bytes(data[:len(data) - cut % len(data)]) + more
    try:
        image = decode_compressed(data)
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[:2] == compressed_size(data)


@settings(max_examples=500, deadline=None)
@given(strategies.binary(max_size=200))
@example(b'\xff\xd8\xff')
@example(b'\x89PNG\r\n\x1a\n')
def test_bytes_of_any_kind(data):
    with pytest.raises(ImageError):
        decode_compressed(data)


@settings(max_examples=500, deadline=None)
@given(NUMBERS, NUMBERS, strategies.sampled_from([*SUPPORTED_ENCODINGS, '', '32FC1', 'jpeg']),
       NUMBERS, strategies.integers(0, 20_000), strategies.booleans())
def test_fields_of_any_kind(height, width, encoding, step, size, big):
    try:
        image = decode_raw(height, width, encoding, step, bytes(size), big)
    except ImageError:
        return
    assert image.shape == (height, width, 3)
    assert size >= step * (height - 1)
