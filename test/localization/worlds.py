# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Made-up maps: places along a line, whose descriptors change along the way."""

import math
from pathlib import Path

import numpy as np
from tetra_vpr_ros.mapping import calibrate, NewPlace, PlaceMap, Pose
from tetra_vpr_ros.vision import ModelInfo

BITS = 1024
MODEL = ModelInfo(Path('a.onnx'), 'a' * 64, 'model-a', '1', BITS, 8, 8, 'none')
SECOND = 10**9


def at(x, y=0.0, degrees=0.0, geodetic=None):
    """Return a pose on the plane."""
    half = math.radians(degrees) / 2
    return Pose(np.array([x, y, 0.0]), np.array([0.0, 0.0, math.sin(half), math.cos(half)]),
                geodetic)


def make_map(path, sessions, calibrated=True):
    """Write a map; a session is a list of (pose, descriptor)."""
    with PlaceMap.create(path, MODEL) as new:
        new.set_meta(build={'keyframe_distance': 1.0, 'keyframe_angle': 15.0})
        for number, rows in enumerate(sessions):
            session = new.begin_session(f'bag {number}')
            new.add_places(session, [NewPlace(i, pose, descriptor)
                                     for i, (pose, descriptor) in enumerate(rows)])
            new.finish_session(session)
        if calibrated:
            new.set_meta(calibration=calibrate(new.places()).to_meta())
    return PlaceMap.open_file(path)


def line(descriptors, spacing=1.0, y=0.0):
    """Return a session along x."""
    return [(at(i * spacing, y), row) for i, row in enumerate(descriptors)]
