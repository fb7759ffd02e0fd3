# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Motions between poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
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
    """
    Return part of a motion, along the arc that leads there at an even speed and rate of turn.

    So n times the n-th part is the whole (a screw motion: K. M. Lynch and F. C. Park, "Modern
    Robotics", 2017, equations 3.88 and 3.92).
    """
    turn = Rotation.from_quat(motion.quaternion).as_rotvec()
    even = np.linalg.solve(_arc(turn), motion.position)  # of a robot that did not turn meanwhile
    return Pose(_arc(turn * share) @ even * share, Rotation.from_rotvec(turn * share).as_quat())


def _arc(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a straight way becomes while the robot turns, ``[3, 3]``."""
    angle = float(np.linalg.norm(turn))
    x, y, z = turn
    across = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    if angle < 1e-4:  # the series, where the quotients lose their digits
        return np.eye(3) + across / 2.0 + across @ across / 6.0
    return np.asarray(np.eye(3) + across * ((1.0 - np.cos(angle)) / angle**2)
                      + across @ across * ((angle - np.sin(angle)) / angle**3))


STILL = Pose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
"""No motion at all."""
