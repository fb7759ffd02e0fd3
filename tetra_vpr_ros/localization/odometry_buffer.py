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
_JUMP_NS = 1_000_000_000  # messages are out of order by less
_STAYS = 3  # messages in a row after a jump back: a single one came late, or once more


class OdometryBuffer:
    """
    Poses of the robot in the odometry frame by time; safe to use from two threads.

    :ivar lost: how many poses were left out, as odometry said that it does not know them.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._stamps: list[int] = []
        self._poses: list[Pose] = []
        self._back: list[tuple[int, Pose]] = []
        self.lost = 0
        self._tells = False

    def add(self, stamp_ns: int, pose: Pose, lost: bool = False) -> None:
        """
        Keep a pose, where its stamp belongs; the newest of a stamp counts.

        Time begins anew where several in a row are older than the last by a second.

        :param stamp_ns: nanoseconds.
        :param pose: of the robot.
        :param lost: odometry says that it does not know it; one that says so of all poses,
            as some drivers do, is believed.
        """
        with self._lock:
            if not lost and not self._tells:
                self._tells = True
                self._forget()  # what came before was none
            if lost and self._tells:
                self.lost += 1
                return
            if self._stamps and stamp_ns < self._stamps[-1] - _JUMP_NS:
                self._back.append((stamp_ns, pose))
                if len(self._back) < _STAYS:
                    return
                begun = self._back
                self._forget()
                for back in begun:
                    self._sort_in(*back)
                return
            self._back = []
            self._sort_in(stamp_ns, pose)
            if len(self._stamps) > 2 * _KEPT:
                del self._stamps[:_KEPT], self._poses[:_KEPT]

    @property
    def newest(self) -> int | None:
        """Return the stamp of the newest pose, nanoseconds; None without any."""
        with self._lock:
            return self._stamps[-1] if self._stamps else None

    def clear(self) -> None:
        """Forget all poses."""
        with self._lock:
            self._forget()
            self.lost = 0
            self._tells = False

    def _forget(self) -> None:
        self._stamps.clear()
        self._poses.clear()
        self._back = []

    def _sort_in(self, stamp_ns: int, pose: Pose) -> None:
        at = bisect_left(self._stamps, stamp_ns)
        if at < len(self._stamps) and self._stamps[at] == stamp_ns:
            self._poses[at] = pose
        else:
            self._stamps.insert(at, stamp_ns)
            self._poses.insert(at, pose)

    def at(self, stamp_ns: int) -> Pose | None:
        """
        Return the pose at the time of an image, interpolated between two.

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
