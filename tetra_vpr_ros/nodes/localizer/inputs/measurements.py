# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What comes in beside the images: odometry and intrinsics."""

from __future__ import annotations

from nav_msgs.msg import Odometry
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from tetra_vpr_ros.localization.odometry_buffer import OdometryBuffer
from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.mapping.pose import says_lost
from tetra_vpr_ros.nodes.localizer.conversions import nanoseconds, pose_from_message


class Measurements:
    """
    The newest odometry and the cameras' intrinsics.

    :param node: for its log.
    :ivar odometry: the last poses of it.
    :ivar odom_frame: their frame.
    :ivar intrinsics: of each camera that told them, float64 ``[3, 3]``.
    :ivar cameras: likewise how much they see.
    """

    def __init__(self, node: Node) -> None:
        """Begin with nothing."""
        self._node = node
        self.odometry = OdometryBuffer()
        self.odom_frame = ''
        self.intrinsics: dict[int, NDArray[np.float64]] = {}
        self.cameras: dict[int, Camera] = {}

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

    def add_intrinsics(self, camera: int, message: CameraInfo) -> None:
        """Keep the intrinsics of a camera that is calibrated."""
        matrix = np.array(message.k, float).reshape(3, 3)
        if matrix[0, 0] > 0 and np.isfinite(matrix).all():
            self.intrinsics[camera] = matrix
        found = Camera.from_intrinsics(message.width, message.height, matrix,
                                       message.distortion_model)
        if found is not None:
            self.cameras[camera] = found
