# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What comes in beside the images: odometry, and what the cameras tell of themselves."""

from __future__ import annotations

from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from tetra_vpr_ros.localization.odometry_buffer import OdometryBuffer
from tetra_vpr_ros.mapping.camera import Camera, Intrinsics
from tetra_vpr_ros.mapping.pose import Pose, says_lost
from tetra_vpr_ros.nodes.localizer.conversions import nanoseconds, pose_from_message

_APART = 10  # images in a row; the first may come before odometry does


class Measurements:
    """
    The newest odometry, and how much the cameras see.

    :param node: for its log.
    :ivar odometry: the last poses of it.
    :ivar odom_frame: their frame.
    :ivar cameras: of each camera that is calibrated and told it.
    :ivar intrinsics: of each camera that told them.
    """

    def __init__(self, node: Node) -> None:
        """Begin with nothing."""
        self._node = node
        self.odometry = OdometryBuffer()
        self.odom_frame = ''
        self._apart = 0  # images in a row of whose time there was no odometry
        self.cameras: dict[int, Camera] = {}
        self.intrinsics: dict[int, Intrinsics] = {}

    def add_odometry(self, message: Odometry) -> None:
        """Keep a pose of the robot, but one that is not finite or that it says is lost."""
        pose = pose_from_message(message.pose.pose)
        if pose is None:
            self._node.get_logger().warning('odometry without a finite pose is ignored',
                                            throttle_duration_sec=5.0)
            return
        self.odom_frame = message.header.frame_id or 'odom'
        self.odometry.add(nanoseconds(message.header.stamp), pose,
                          says_lost(message.pose.covariance))
        if self.odometry.lost:
            self._node.get_logger().warning(
                'odometry says that it is lost (a variance of 9999 or more): such poses are '
                'ignored', once=True)

    def odometry_at(self, stamp_ns: int) -> Pose | None:
        """
        Return the pose at the time of an image, None where odometry does not tell it.

        When it does so many times in a row though it comes, that is said, once in a while.
        """
        pose, newest = self.odometry.at(stamp_ns), self.odometry.newest
        self._apart = 0 if pose is not None or newest is None else self._apart + 1
        if newest is not None and self._apart >= _APART:
            self._node.get_logger().warning(
                f'odometry is not used: the last of it is dated {(newest - stamp_ns) * 1e-9:+.1f} '
                's from the last image; do both have stamps of one clock?',
                throttle_duration_sec=10.0)
        return pose

    def add_camera(self, camera: int, topic: str, message: CameraInfo) -> None:
        """
        Keep what a camera tells of itself.

        :param camera: its index.
        :param topic: of its pictures.
        :param message: beside them.
        """
        told = self.intrinsics[camera] = Intrinsics.of(message, topic)
        found = told.camera()
        if found is not None:
            self.cameras[camera] = found
