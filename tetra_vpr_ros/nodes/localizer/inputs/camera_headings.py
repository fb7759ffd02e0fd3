# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the cameras look, by way of tf2."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.time import Time
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.nodes.localizer.optional import package_for


class CameraHeadings:
    """
    Headings of the cameras on the robot, looked up once each.

    :param node: that listens to ``/tf_static`` and ``/tf``.
    :param base_frame: of the robot.
    :param cameras: how many there are.
    :param down: they look at the ground: their heading is where the top of the picture points.
    :raises MissingPackageError: tf2_ros is not installed.
    """

    def __init__(self, node: Node, base_frame: str, cameras: int, down: bool = False) -> None:
        """Begin to listen."""
        tf2_ros = package_for('base_frame', 'tf2_ros', 'tf2-ros-py')
        self._buffer = tf2_ros.Buffer()
        self._listener: Any = tf2_ros.TransformListener(self._buffer, node)
        self._errors = tf2_ros.TransformException
        self._base_frame = base_frame
        # Of an optical frame, x right, y down in the picture, z forward (REP-103). The forward
        # axis of a camera that looks down has no heading but by a tilt.
        self._ahead = [0.0, -1.0, 0.0] if down else [0.0, 0.0, 1.0]
        self._yaws: list[float | None] = [None] * cameras

    def destroy(self) -> None:
        """Take the subscriptions from the graph; once they are gone, do nothing."""
        if self._listener is not None:
            self._listener.unregister()
            self._listener = None

    def learn(self, camera: int, frame_id: str) -> str:
        """
        Look up a camera that is not known yet.

        :param camera: its index.
        :param frame_id: of its images, an optical frame (z forward, REP-103).
        :returns: why it is not known yet; empty when it is.
        """
        if self._yaws[camera] is not None:
            return ''
        try:
            found = self._buffer.lookup_transform(self._base_frame, frame_id, Time())
        except self._errors as error:
            return f'no transform from {self._base_frame!r} to {frame_id!r}: {error}'
        r = found.transform.rotation
        forward = Rotation.from_quat([r.x, r.y, r.z, r.w]).apply(self._ahead)
        self._yaws[camera] = math.atan2(forward[1], forward[0])
        return ''

    @property
    def unknown(self) -> list[int]:
        """Return the cameras that are not known yet."""
        return [camera for camera, yaw in enumerate(self._yaws) if yaw is None]

    def known(self, mapping_yaw: float) -> tuple[float, ...] | None:
        """
        Return the yaws against the camera of the mapping run, or None until all are known.

        :param mapping_yaw: of that camera on the robot, radians.
        """
        if self.unknown:
            return None
        against = np.array(self._yaws, float) - mapping_yaw
        return tuple(float(v) for v in np.arctan2(np.sin(against), np.cos(against)))
