# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where cameras sit and where odometry drifts, by way of tf2."""

from __future__ import annotations

import math
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
import numpy as np
from rclpy.node import Node
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.motion import compose, motion_between, STILL
from tetra_vpr_ros.mapping.pose import Pose


class TransformError(RuntimeError):
    """tf2_ros is missing where a parameter asks for it; the text says which."""


def _tf2_ros(parameter: str) -> Any:
    try:
        import tf2_ros
    except ImportError as error:
        raise TransformError(f'the parameter {parameter!r} needs tf2_ros, which is not '
                             'installed: sudo apt install ros-$ROS_DISTRO-tf2-ros-py') from error
    return tf2_ros


class MapToOdom:
    """
    Broadcasts ``map`` → ``odom``, so that the robot's pose in the map is a transform.

    Never ``map`` → ``base_link``: that frame has a parent already (REP-105).

    :param node: that broadcasts.
    :param map_frame: frame of the poses.
    :raises TransformError: tf2_ros is not installed.
    """

    def __init__(self, node: Node, map_frame: str) -> None:
        """Make the broadcaster."""
        self._broadcaster = _tf2_ros('publish_tf').TransformBroadcaster(node)
        self._map_frame = map_frame

    def send(self, in_map: Pose, in_odom: Pose, odom_frame: str, stamp: Time) -> None:
        """
        Broadcast what leads from the map to the odometry frame.

        :param in_map: pose of the robot in the map frame.
        :param in_odom: of the robot in the odometry frame at the same time.
        :param odom_frame: frame of the odometry messages.
        :param stamp: of both.
        """
        offset = compose(in_map, motion_between(in_odom, STILL))
        message = TransformStamped()
        message.header.stamp, message.header.frame_id = stamp, self._map_frame
        message.child_frame_id = odom_frame
        t, r = message.transform.translation, message.transform.rotation
        t.x, t.y, t.z = (float(v) for v in offset.position)
        r.x, r.y, r.z, r.w = (float(v) for v in offset.quaternion)
        self._broadcaster.sendTransform(message)


class CameraYaws:
    """
    Headings of the cameras on the robot, looked up once each.

    :param node: that listens to ``/tf_static`` and ``/tf``.
    :param base_frame: of the robot.
    :param cameras: how many there are.
    :raises TransformError: tf2_ros is not installed.
    """

    def __init__(self, node: Node, base_frame: str, cameras: int) -> None:
        """Begin to listen."""
        tf2_ros = _tf2_ros('base_frame')
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        self._errors = tf2_ros.TransformException
        self._base_frame = base_frame
        self._yaws: list[float | None] = [None] * cameras

    def learn(self, camera: int, frame_id: str) -> str:
        """
        Look up a camera that is not known yet.

        :param camera: its index.
        :param frame_id: of its images, an optical frame (z forward, REP-103).
        :returns: why it is not known yet; empty when it is.
        """
        if self._yaws[camera] is not None:
            return ''
        from rclpy.time import Time as LatestTime
        try:
            found = self._buffer.lookup_transform(self._base_frame, frame_id, LatestTime())
        except self._errors as error:
            return f'no transform from {self._base_frame!r} to {frame_id!r}: {error}'
        r = found.transform.rotation
        forward = Rotation.from_quat([r.x, r.y, r.z, r.w]).apply([0.0, 0.0, 1.0])
        self._yaws[camera] = math.atan2(forward[1], forward[0])
        return ''

    def known(self, mapping_yaw: float) -> tuple[float, ...] | None:
        """
        Return the yaws against the camera of the mapping run, or None until all are known.

        :param mapping_yaw: of that camera on the robot, radians.
        """
        if any(yaw is None for yaw in self._yaws):
            return None
        against = np.array(self._yaws, float) - mapping_yaw
        return tuple(float(v) for v in np.arctan2(np.sin(against), np.cos(against)))
