# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A pose must be reachable from the last one."""

from __future__ import annotations

from tetra_vpr_ros.mapping.motion import compose, motion_between
from tetra_vpr_ros.mapping.pose import Pose

_PATIENCE = 3  # a robot that was carried elsewhere is believed after so many frames
_DRIFT = 0.1   # of odometry, share of the way


class PlausibilityGate:
    """
    Rejects jumps that neither odometry nor the robot's speed explains.

    :param slack: metres that two right poses may differ.
    :param max_speed: metres a second, where there is no odometry.
    """

    def __init__(self, slack: float, max_speed: float) -> None:
        """Start without a last pose."""
        self._slack, self._max_speed = slack, max_speed
        self.reset()

    def reset(self) -> None:
        """Forget the last pose."""
        self._last: tuple[Pose, int, Pose | None] | None = None
        self._rejected = 0

    def check(self, pose: Pose, stamp_ns: int, odometry: Pose | None) -> str:
        """
        Judge the pose of a match that is accepted otherwise.

        :param pose: in the map frame.
        :param stamp_ns: of the frame.
        :param odometry: at that time, if known.
        :returns: why it is not plausible; empty when it is.
        """
        reason = self._reason(pose, stamp_ns, odometry)
        if reason and self._rejected < _PATIENCE:
            self._rejected += 1
            return reason
        self._rejected = 0
        self._last = (pose, stamp_ns, odometry)
        return ''

    def _reason(self, pose: Pose, stamp_ns: int, odometry: Pose | None) -> str:
        if self._last is None:
            return ''
        last, last_ns, last_odometry = self._last
        if odometry is not None and last_odometry is not None:
            motion = motion_between(last_odometry, odometry)
            way = motion.distance_to(Pose(0 * motion.position, motion.quaternion))
            off = compose(last, motion).distance_to(pose)
            allowed, what = self._slack + _DRIFT * way, 'odometry leads'
        else:
            off = last.distance_to(pose)
            seconds = max(0.0, (stamp_ns - last_ns) * 1e-9)
            allowed, what = self._slack + self._max_speed * seconds, 'the robot was'
        if off <= allowed:
            return ''
        return f'a jump: {off:.1f} m from where {what}, {allowed:.1f} m are plausible'
