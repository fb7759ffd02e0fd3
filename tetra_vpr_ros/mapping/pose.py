# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the robot was, and the quaternions that say which way it looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

FARTHEST = 1e8
"""Metres beyond which no pose lies: so large a number is damage, not a place on Earth."""

_LOST = 9999.0  # variance by which a visual odometry says that it knows nothing
_CHECKED = 1 << 16  # poses that are checked at a time: large maps need the memory
_UNIT = 1e-3  # by which the length of a quaternion may differ from one


@dataclass(frozen=True)
class Pose:
    """
    Pose of ``base_link`` in the map frame (REP-103, REP-105).

    :ivar position: metres, float64 ``[3]``.
    :ivar quaternion: unit x y z w, float64 ``[4]``.
    :ivar geodetic: latitude and longitude (degrees) and altitude (metres), if known.
    """

    position: NDArray[np.float64]
    quaternion: NDArray[np.float64]
    geodetic: tuple[float, float, float] | None = None

    def distance_to(self, other: Pose) -> float:
        """Return metres to another pose."""
        return float(np.linalg.norm(self.position - other.position))

    def angle_to(self, other: Pose) -> float:
        """Return the rotation to another pose in radians, 0 … pi."""
        dot = abs(float(self.quaternion @ other.quaternion))
        return 2.0 * math.acos(min(1.0, dot))


def without_leap(longitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return longitudes of neighbours so that they differ as little as the places do.

    :param longitudes: degrees, ``[n]``; on either side of the 180th meridian they leap by 360.
    :returns: those about the first that is finite, the same where none leaps.
    """
    known = longitudes[np.isfinite(longitudes)]
    if not len(known) or np.ptp(known) <= 180.0:
        return longitudes
    return np.asarray(known[0] + (longitudes - known[0] + 180.0) % 360.0 - 180.0)


def longitude(degrees: float) -> float:
    """Return a longitude as maps have it, -180 to 180 degrees."""
    return degrees if abs(degrees) <= 180.0 else (degrees + 180.0) % 360.0 - 180.0


def level_quaternion(yaw: ArrayLike) -> NDArray[np.float64]:
    """
    Return the quaternion of a robot on level ground.

    :param yaw: radians about z, counter-clockwise from x, of any shape ``[...]``.
    :returns: unit x y z w, ``[..., 4]``.
    """
    half = np.asarray(yaw, np.float64) / 2
    still = np.zeros_like(half)
    return np.stack([still, still, np.sin(half), np.cos(half)], axis=-1)


def headings(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return where robots look on the plane.

    :param quaternions: unit x y z w, ``[n, 4]``.
    :returns: radians counter-clockwise from x, ``[n]``.
    """
    ahead = Rotation.from_quat(quaternions).apply([1.0, 0.0, 0.0])
    return np.asarray(np.arctan2(ahead[:, 1], ahead[:, 0]))


def says_lost(covariance: Sequence[float]) -> bool:
    """Tell whether a covariance, 6x6 row-major, is the one of a visual odometry that is lost."""
    return len(covariance) == 36 and bool(covariance[0] == covariance[7] >= _LOST)


def sound_poses(positions: NDArray[np.float64], quaternions: NDArray[np.float64]
                ) -> NDArray[np.bool_]:
    """
    Tell which poses are finite, on Earth, and have a quaternion of unit length.

    :param positions: ``[n, 3]``.
    :param quaternions: ``[n, 4]``.
    :returns: bool ``[n]``.
    """
    sound = np.empty(len(positions), bool)
    with np.errstate(over='ignore', invalid='ignore'):
        for first in range(0, len(positions), _CHECKED):
            some = slice(first, first + _CHECKED)
            unit = np.abs(np.linalg.norm(quaternions[some], axis=1) - 1) <= _UNIT  # NaN is not
            sound[some] = unit & (np.abs(positions[some]) <= FARTHEST).all(axis=1)
    return sound
