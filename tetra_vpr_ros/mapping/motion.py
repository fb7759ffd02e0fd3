# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Motions between poses."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.pose import Pose


def compose(first: Pose, motion: Pose) -> Pose:
    """Return the pose reached from a pose by a motion in its own frame."""
    rotation = Rotation.from_quat(first.quaternion)
    return Pose(first.position + rotation.apply(motion.position),
                (rotation * Rotation.from_quat(motion.quaternion)).as_quat())


def motion_between(first: Pose, second: Pose) -> Pose:
    """Return the motion, in the frame of the first pose, that leads to the second."""
    inverse = Rotation.from_quat(first.quaternion).inv()
    return Pose(inverse.apply(second.position - first.position),
                (inverse * Rotation.from_quat(second.quaternion)).as_quat())


def share_of(motion: Pose, share: float) -> Pose:
    """Return part of a motion, straight in position and on the shortest arc in rotation."""
    turn = Rotation.from_quat(motion.quaternion).as_rotvec() * share
    return Pose(motion.position * share, Rotation.from_rotvec(turn).as_quat())


STILL = Pose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
"""No motion at all."""
