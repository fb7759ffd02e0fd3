# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which frames of a traverse become places."""

from __future__ import annotations

import math

from tetra_vpr_ros.mapping.pose import Pose


class KeyframeSelector:
    """
    Take a frame whenever the robot has moved or turned far enough.

    :param distance: metres since the last place.
    :param angle: degrees since the last place.
    """

    def __init__(self, distance: float = 0.5, angle: float = 15.0) -> None:
        """Start a traverse."""
        if not (distance >= 0 and angle >= 0):
            raise ValueError(
                f'keyframe distance and angle must not be negative: {distance}, {angle}')
        self._distance = distance
        self._angle = math.radians(angle)
        self._last: Pose | None = None

    def wants(self, pose: Pose) -> bool:
        """Tell whether a frame at this pose should become a place."""
        if self._last is None:
            return True
        return (pose.distance_to(self._last) >= self._distance
                or pose.angle_to(self._last) >= self._angle)

    def accept(self, pose: Pose) -> None:
        """Take a pose as the last place."""
        self._last = pose
