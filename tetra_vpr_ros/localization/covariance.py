# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pose covariance from the places that look almost like the best one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.pose_track import Pose


def candidate_covariance(best: Pose, rivals: Sequence[Pose], spacing: float,
                         angle: float) -> NDArray[np.float64]:
    """
    Return the spread of rival poses about the best, with a floor.

    The robot may stand anywhere between two keyframes and be turned by as much
    as the keyframe angle: however well the rivals agree, it is not known better.

    :param best: the published pose.
    :param rivals: poses of the candidates within a margin of the best, itself
        included or not.
    :param spacing: metres between keyframes.
    :param angle: radians between keyframes.
    :returns: ``[6, 6]`` in REP-103 order (x y z, rotation about the fixed axes x y z),
        symmetric positive definite.
    """
    floor = np.diag([max(spacing, 0.1) ** 2] * 3 + [max(angle, 0.02) ** 2] * 3)
    if not rivals:
        return floor
    inverse = Rotation.from_quat(best.quaternion).inv()
    deviations = np.array([
        np.concatenate([rival.position - best.position,
                        (Rotation.from_quat(rival.quaternion) * inverse).as_rotvec()])
        for rival in rivals])
    covariance: NDArray[np.float64] = deviations.T @ deviations / len(rivals) + floor
    return (covariance + covariance.T) / 2
