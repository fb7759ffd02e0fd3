# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A drive along a wall of noise, which needs no rendered world."""

import cv2
import numpy as np
from tetra_vpr_ros.simulation.level import Pose2D


def noise_wall():
    """Return (stamp, pose, image) of 20 m along the wall."""
    rng = np.random.default_rng(5)
    picture = cv2.resize(rng.integers(0, 256, (9, 90, 3), dtype=np.uint8), (3600, 360),
                         interpolation=cv2.INTER_CUBIC)
    return [(10**18 + i * 10**8, Pose2D(0.5 * i, 0.0, 0.0), picture[:, 75 * i:75 * i + 480].copy())
            for i in range(40)]
