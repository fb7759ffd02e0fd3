# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything that the localizer subscribes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import functools
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tetra_vpr_ros.mapping.camera import info_topic


class Inputs:
    """
    The subscriptions of an active node.

    :param node: they belong to.
    :param image_topics: one for each camera.
    :param compressed: subscribe ``<topic>/compressed``.
    :param on_image: called with the camera's index, its topic and the message.
    """

    def __init__(self, node: Node, image_topics: Sequence[str], compressed: bool,
                 on_image: Callable[[int, str, Any], None]) -> None:
        """Subscribe to the cameras."""
        self._node = node
        self._subscriptions: list[Any] = []
        self.image_topics: list[str] = []
        kind = CompressedImage if compressed else Image
        for camera, name in enumerate(image_topics):
            topic = f'{name}/compressed' if compressed else name
            self._sensor(kind, topic, functools.partial(on_image, camera, topic))
            self.image_topics.append(self._subscriptions[-1].topic_name)

    def listen_to_odometry(self, topic: str, on_odometry: Callable[[Odometry], None]) -> None:
        """Subscribe to odometry."""
        self._sensor(Odometry, topic, on_odometry)

    def listen_to_intrinsics(self, image_topics: Sequence[str],
                             on_info: Callable[[int, CameraInfo], None]) -> None:
        """Subscribe to the ``camera_info`` beside each image topic, as drivers publish it."""
        for camera, name in enumerate(image_topics):
            self._sensor(CameraInfo, info_topic(name), functools.partial(on_info, camera))

    def listen_to_priors(self, on_prior: Callable[[PoseWithCovarianceStamped], None]) -> None:
        """Subscribe to poses to start from: RViz's estimate, and a region of our own."""
        for topic in ('initialpose', '~/set_region'):
            self._subscriptions.append(self._node.create_subscription(
                PoseWithCovarianceStamped, topic, on_prior, 10))

    def _sensor(self, kind: Any, topic: str, callback: Callable[..., None]) -> None:
        self._subscriptions.append(self._node.create_subscription(
            kind, topic, callback, qos_profile_sensor_data,
            qos_overriding_options=QoSOverridingOptions.with_default_policies()))

    def destroy(self) -> None:
        """Take the subscriptions from the graph."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
