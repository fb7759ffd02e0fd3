# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pose and covariance from weighted places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.pose import Pose

ONE_PLACE = 3.0
"""Scale of the floor where the pose is that of one place, not a mean: a deviation is a spacing."""

_WIDEST = 1e12     # variance, m² or rad², above which nothing is known
_SINGULAR = 1e-15  # ratio of variances of which a product makes nothing


def pose_offsets(centre: Pose, positions: NDArray[np.float64],
                 quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return how far poses are from one, metres and rotation vectors about the fixed axes.

    :param centre: from which.
    :param positions: ``[n, 3]``.
    :param quaternions: ``[n, 4]``.
    :returns: ``[n, 6]`` in REP-103 order.
    """
    inverse = Rotation.from_quat(centre.quaternion).inv()
    return np.hstack([positions - centre.position,
                      (Rotation.from_quat(quaternions) * inverse).as_rotvec()])


def covariance_floor(spacing: float, angle: float) -> NDArray[np.float64]:
    """
    Return what stays unknown however well the places agree.

    The robot may stand anywhere within one spacing to either side, and be turned
    likewise: the variance of an even distribution over that.

    :param spacing: metres between keyframes.
    :param angle: radians between keyframes.
    :returns: ``[6, 6]``, diagonal, positive.
    """
    return np.diag([max(spacing, 0.1) ** 2 / 3] * 3 + [max(angle, 0.02) ** 2 / 3] * 3)


def mean_pose(positions: NDArray[np.float64], quaternions: NDArray[np.float64],
              weights: NDArray[np.float64]) -> Pose:
    """
    Return the weighted mean of poses; rotations by F. L. Markley et al., 2007.

    :param positions: ``[n, 3]``.
    :param quaternions: ``[n, 4]``.
    :param weights: ``[n]``, not negative, not all zero.
    """
    position = weights @ positions / weights.sum()
    return Pose(position, Rotation.from_quat(quaternions).mean(weights).as_quat())


def pose_covariance(centre: Pose, positions: NDArray[np.float64],
                    quaternions: NDArray[np.float64], weights: NDArray[np.float64],
                    floor: NDArray[np.float64], scale: float = 1.0) -> NDArray[np.float64]:
    """
    Return the spread of weighted poses about a centre, with a floor.

    :param centre: the published pose.
    :param positions: ``[n, 3]``; none are fine.
    :param quaternions: ``[n, 4]``.
    :param weights: ``[n]``.
    :param floor: see `covariance_floor`.
    :param scale: by which calibration inflates the sum.
    :returns: ``[6, 6]`` in REP-103 order (x y z, rotation about the fixed axes x y z),
        symmetric positive definite.
    """
    covariance = floor
    if len(positions):
        deviations = pose_offsets(centre, positions, quaternions)
        shares = weights / weights.sum()
        covariance = (deviations * shares[:, None]).T @ deviations + floor
    covariance = scale * (covariance + covariance.T) / 2
    return np.asarray(covariance)


def with_heading(covariance: NDArray[np.float64], quaternion: NDArray[np.float64],
                 variance: float) -> NDArray[np.float64]:
    """
    Return a covariance in which a turn about the robot's own vertical axis is known otherwise.

    :param covariance: ``[6, 6]``, see `pose_covariance`.
    :param quaternion: of the robot, x y z w.
    :param variance: of that turn, square radians; it has nothing to do with the rest.
    """
    own = np.eye(6)
    own[3:, 3:] = Rotation.from_quat(quaternion).as_matrix()
    seen = own.T @ covariance @ own
    seen[5, :] = seen[:, 5] = 0.0
    seen[5, 5] = variance
    return np.asarray(own @ seen @ own.T)


def squared_deviations(offsets: NDArray[np.float64], covariance: NDArray[np.float64],
                       floor: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return squared deviations (Mahalanobis) from a pose that somebody told.

    :param offsets: from it, see `pose_offsets`, ``[n, 6]``.
    :param covariance: of it, ``[6, 6]``; a variance of 0 or less was not told. Of one that is no
        covariance, or too large for a product, only the variances count.
    :param floor: what no map tells, ``[6, 6]``.
    """
    told = np.diag(covariance) > 0
    if told.any():
        spread = np.clip(covariance, -_WIDEST, _WIDEST)
        spread = (spread + spread.T) / 2
    else:  # an exact pose, as far as a map can tell one
        told, spread = np.isin(np.arange(6), (0, 1, 5)), np.zeros((6, 6))
    spread = (spread + floor)[np.ix_(told, told)]
    widths = np.linalg.eigvalsh(spread)
    if widths[0] <= _SINGULAR * widths[-1]:
        spread = np.diag(np.diag(spread))
    return np.einsum('ij,jk,ik->i', offsets[:, told], np.linalg.inv(spread), offsets[:, told])
