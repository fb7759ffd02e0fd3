# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A made-up map in which is planted what a report must find."""

from dataclasses import replace
import math
from pathlib import Path

import cv2
import numpy as np
from sample_data import MATCHES, noisy, walk_descriptors
from tetra_vpr_ros.mapping import NewPlace, PlaceMap, Pose
from tetra_vpr_ros.mapping.calibration import calibrate_map
from tetra_vpr_ros.vision import ModelInfo

BITS, GRID, TOKEN_BITS = 1024, (4, 4), 64
LENGTH = 200                      # places of the way out, a metre apart
TWINS = range(40, 52), range(140, 152)  # rows that look alike
BACK = range(100)                 # of the way out that is driven back, too
AGAIN = range(10, 30)             # driven twice in the same direction and light
GAP = 120, 7.0                    # row behind which that many metres are missing

_MODEL = ModelInfo(Path('a.onnx'), 'a' * 64, 'model-a', '1', BITS, 8, 8, 'none')


def picture(rng, brightness=120):
    """Return a small JPEG of nothing in particular."""
    image = rng.integers(0, 2 * brightness, (6, 8, 3)).astype(np.uint8)
    _, data = cv2.imencode('.jpg', cv2.resize(image, (160, 120)))
    return data.tobytes()


def pose(x, y=0.0, degrees=0.0):
    """Return a pose on the plane."""
    half = math.radians(degrees) / 2
    return Pose(np.array([x, y, 0.0]), np.array([0.0, 0.0, math.sin(half), math.cos(half)]))


def planted_map(path, rng, tokens=True, names=('out', 'back', 'again'), thumbnails=True):
    """
    Write the map: a way out with two stretches that look alike and a gap, and parts of it again.

    :returns: the path.
    """
    look = walk_descriptors(rng, LENGTH, BITS, 0.06)
    patches = walk_descriptors(rng, LENGTH, math.prod(GRID) * TOKEN_BITS, 0.06)
    for one, other in zip(*TWINS):
        look[other], patches[other] = (noisy(rng, part[one], 0.02) for part in (look, patches))
    x = np.arange(LENGTH) + GAP[1] * (np.arange(LENGTH) > GAP[0])
    drives = [
        [(pose(at), row, patch) for at, row, patch in zip(x, look, patches)],
        [(pose(x[i], 0.3, 180.0), *_other(rng)) for i in reversed(BACK)],
        [(pose(x[i], 0.1), noisy(rng, look[i], 0.01), noisy(rng, patches[i], 0.01))
         for i in AGAIN]]
    model = replace(_MODEL, token_grid=GRID, token_bits=TOKEN_BITS,
                    match_model=MATCHES) if tokens else _MODEL
    with PlaceMap.create(path, model) as new:
        new.set_meta(build={'keyframe_distance': 1.0, 'keyframe_angle': 15.0})
        for number, (name, drive) in enumerate(zip(names, drives)):
            session = new.begin_session(name)
            new.add_places(session, [
                NewPlace(10**12 * number + i, where, descriptor,
                         picture(rng, 120 if number != 1 else 12) if thumbnails else None,
                         tokens=patch.reshape(math.prod(GRID), -1) if tokens else None)
                for i, (where, descriptor, patch) in enumerate(drive)])
            new.finish_session(session)
        calibrate_map(new)
    return path


def _other(rng):
    """Return descriptor and tokens of a view that is like no other."""
    return (rng.integers(0, 256, BITS // 8, dtype=np.uint8),
            rng.integers(0, 256, math.prod(GRID) * TOKEN_BITS // 8, dtype=np.uint8))
