# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The last seconds of odometry, to be asked at the stamps of images."""

from __future__ import annotations

from bisect import bisect_left
import threading

from tetra_vpr_ros.mapping.motion import compose, motion_between, share_of
from tetra_vpr_ros.mapping.pose import Pose

_KEPT = 2000
_HOLD_NS = 200_000_000  # an image may be newer than odometry by this much


class OdometryBuffer:
    """Poses of the robot in the odometry frame by time; safe to use from two threads."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._stamps: list[int] = []
        self._poses: list[Pose] = []

    def add(self, stamp_ns: int, pose: Pose) -> None:
        """Keep a pose; one that is older than the last means that time began anew."""
        with self._lock:
            if self._stamps and stamp_ns <= self._stamps[-1]:
                self._stamps.clear()
                self._poses.clear()
            self._stamps.append(stamp_ns)
            self._poses.append(pose)
            if len(self._stamps) > 2 * _KEPT:
                del self._stamps[:_KEPT], self._poses[:_KEPT]

    def clear(self) -> None:
        """Forget all poses."""
        with self._lock:
            self._stamps.clear()
            self._poses.clear()

    def at(self, stamp_ns: int) -> Pose | None:
        """
        Return the pose at a time, interpolated between two.

        :returns: None where odometry has not begun yet or has stopped.
        """
        with self._lock:
            after = bisect_left(self._stamps, stamp_ns)
            if after == len(self._stamps):
                fresh = self._stamps and stamp_ns - self._stamps[-1] <= _HOLD_NS
                return self._poses[-1] if fresh else None
            if self._stamps[after] == stamp_ns:
                return self._poses[after]
            if after == 0:
                return None
            before = after - 1
            first, second = self._poses[before], self._poses[after]
            share = (stamp_ns - self._stamps[before]) / (
                self._stamps[after] - self._stamps[before])
        return compose(first, share_of(motion_between(first, second), share))
