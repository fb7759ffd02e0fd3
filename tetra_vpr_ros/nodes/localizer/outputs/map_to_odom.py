# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The transform that corrects odometry, sent again and again as AMCL does."""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, ClockType, JumpThreshold  # type: ignore[attr-defined]  # moved
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tetra_vpr_ros.mapping.motion import compose, motion_between, STILL
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.nodes.localizer.optional import package_for

_PERIOD = 0.05  # seconds
_BACK = Duration(seconds=-1)  # by which a clock that began anew goes back
_LAST_NS = 2**31 * 10**9  # no message holds a later time


class MapToOdom:
    """
    Broadcasts ``map`` → ``odom``, so that the robot's pose in the map is a transform.

    From the first match on it is sent at a steady rate, dated ahead: whoever looks up where the
    robot is *now* finds it, also while no place is recognised. Never ``map`` → ``base_link``:
    that frame has a parent already (REP-105).

    :param node: that broadcasts.
    :param map_frame: frame of the poses.
    :param tolerance: seconds by which the transform is dated ahead, asked each time.
    :param future: seconds by which an image may be dated ahead of the clock, asked each time.
    :raises MissingPackageError: tf2_ros is not installed.
    """

    def __init__(self, node: Node, map_frame: str, tolerance: Callable[[], float],
                 future: Callable[[], float]) -> None:
        """Make the broadcaster."""
        self._node, self._map_frame = node, map_frame
        self._tolerance, self._future = tolerance, future
        self._lock = threading.Lock()
        # The transform, by how much images are dated ahead of the node's clock, and how often
        # that had jumped by then.
        self._correction: tuple[TransformStamped, int, int] | None = None
        self._last_ns = -1
        self._jumps = 0  # of the clock
        self._broadcaster = package_for(
            'publish_tf', 'tf2_ros', 'tf2-ros-py').TransformBroadcaster(node)
        # Steady: a system clock that is set back, as without a battery, must not stop it.
        self._timer: Any = node.create_timer(_PERIOD, self._send,
                                             clock=Clock(clock_type=ClockType.STEADY_TIME))
        # Another clock, or one that begins anew, is not that of the last image.
        self._watch: Any = node.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=_BACK),
            post_callback=self._forget)

    def correct(self, in_map: Pose, in_odom: Pose, odom_frame: str, stamp_ns: int) -> None:
        """
        Take what leads from the map to the odometry frame from now on, and broadcast it.

        :param in_map: pose of the robot in the map frame.
        :param in_odom: of the robot in the odometry frame at the same time.
        :param odom_frame: frame of the odometry messages.
        :param stamp_ns: of both.
        """
        if odom_frame.lstrip('/') == self._map_frame.lstrip('/'):
            self._node.get_logger().error(
                f'publish_tf sends nothing: map and odometry are both in {odom_frame!r}; build '
                "the map in the frame 'map', or set frame_id", throttle_duration_sec=10.0)
            return
        offset = compose(in_map, motion_between(in_odom, STILL))
        message = TransformStamped()
        message.header.frame_id, message.child_frame_id = self._map_frame, odom_frame
        t, r = message.transform.translation, message.transform.rotation
        t.x, t.y, t.z = (float(v) for v in offset.position)
        r.x, r.y, r.z, r.w = (float(v) for v in offset.quaternion)
        jumps, now_ns = self._jumps, self._now_ns()
        ahead_ns = stamp_ns - now_ns
        if not now_ns or ahead_ns > self._future() * 1e9:
            # The clock has not begun, or began anew since the image was taken.
            self._node.get_logger().warning(
                f'a match does not correct the transform to {odom_frame!r}: its image is dated '
                f'{ahead_ns * 1e-9:.1f} s ahead of the clock', throttle_duration_sec=5.0)
            return
        with self._lock:
            # As AMCL dates it by the laser's stamps: also right where a bag is played without
            # simulated time.
            self._correction = message, ahead_ns, jumps
        self._send()

    def destroy(self) -> None:
        """End it, and take the publisher from the graph."""
        self._watch.unregister()
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._broadcaster.pub_tf)

    def _forget(self, _jump: object) -> None:
        """Send nothing until the next match tells how its stamps lie to the clock."""
        self._jumps += 1  # without the lock: whoever sets the clock must not wait

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _send(self) -> None:
        with self._lock:
            if self._correction is None or self._correction[2] != self._jumps:
                return
            message, ahead_ns, _ = self._correction
            stamp_ns = self._now_ns() + ahead_ns + round(self._tolerance() * 1e9)
            # Simulated time may stand still, and tf2 complains of what it has already.
            if stamp_ns == self._last_ns or not 0 <= stamp_ns < _LAST_NS:
                return
            self._last_ns = stamp_ns
            message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
            self._broadcaster.sendTransform(message)
