# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything that the localizer subscribes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import copy
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo
from tetra_vpr_ros.nodes.localizer.inputs.image_topic import image_topic, ImageTopic
from tetra_vpr_ros.nodes.localizer.inputs.silence import Listened
from tetra_vpr_ros.nodes.localizer.parameters import ParameterError

_OVERRIDES = 'qos_overrides.'


class Inputs:
    """
    The subscriptions of an active node; when making them fails, `destroy` is still due.

    :param node: they belong to.
    :ivar cameras: in the order of ``image_topics``.
    :ivar odometry: None where none is listened to.
    """

    def __init__(self, node: Node) -> None:
        """Begin with nothing."""
        self._node = node
        self._subscriptions: list[Any] = []
        self._topics: list[ImageTopic] = []
        self.cameras: list[Listened] = []
        self.odometry: Listened | None = None

    def listen_to_images(self, names: Sequence[str], transport: str,
                         on_image: Callable[[int, str, Any], None]) -> None:
        """
        Subscribe to the cameras.

        :param names: of their topics.
        :param transport: ``raw`` or ``compressed``.
        :param on_image: called with the camera's index, its topic and the message.
        :raises ParameterError: a topic cannot be subscribed to.
        """
        for camera, name in enumerate(names):
            topic = image_topic(self._node, name, transport)
            if topic.base in [other.base for other in self._topics]:
                raise ParameterError(f'image_topics: {name!r} and another of them are one topic, '
                                     f'{topic.base}: its pictures would count twice')

            def hear(message: Any, camera: int = camera) -> None:
                self.cameras[camera].came()
                on_image(camera, self.cameras[camera].topic, message)

            self._topics.append(topic)
            self.cameras.append(Listened(self._node, self._sensor(
                'image_topics', topic.kind, topic.subscribed, hear)))

    def listen_to_odometry(self, topic: str, on_odometry: Callable[[Odometry], None]) -> None:
        """
        Subscribe to odometry.

        :raises ParameterError: the topic cannot be subscribed to.
        """
        def hear(message: Odometry) -> None:
            assert self.odometry is not None
            self.odometry.came()
            on_odometry(message)

        self.odometry = Listened(self._node, self._sensor('odom_topic', Odometry, topic, hear))

    def listen_to_intrinsics(self, on_info: Callable[[int, str, CameraInfo], None]
                             ) -> None:
        """Subscribe to the ``camera_info`` beside each image topic, as drivers publish it."""
        for camera, topic in enumerate(self._topics):
            def hear(message: CameraInfo, camera: int = camera, base: str = topic.base) -> None:
                on_info(camera, base, message)

            self._sensor('image_topics', CameraInfo, topic.info, hear)

    def listen_to_priors(self, on_prior: Callable[[PoseWithCovarianceStamped], None]) -> None:
        """Subscribe to poses to start from: RViz's estimate, and a region of our own."""
        for topic in ('initialpose', '~/set_region'):
            self._subscriptions.append(self._node.create_subscription(
                PoseWithCovarianceStamped, topic, on_prior, 10))

    def tell_unused_overrides(self) -> None:
        """Warn of QoS overrides of the start that no subscription took: ROS 2 says nothing."""
        # Private, but the same in all distributions; without it there is no warning.
        given = getattr(self._node, '_parameter_overrides', {})
        unused = [name for name in given
                  if name.startswith(_OVERRIDES) and not self._node.has_parameter(name)]
        if unused:
            taken = sorted(self._node.get_parameters_by_prefix(_OVERRIDES[:-1]))
            self._node.get_logger().warning(
                f'{", ".join(sorted(unused))}: no subscription of this node takes that. '
                f'They take {_OVERRIDES}…, with … one of {", ".join(taken)}')

    def _sensor(self, parameter: str, kind: Any, topic: str, callback: Callable[[Any], None]
                ) -> Any:
        try:
            # A copy: rclpy writes the overrides of one topic into the profile that it is given.
            made = self._node.create_subscription(
                kind, topic, callback, copy.copy(qos_profile_sensor_data),
                qos_overriding_options=QoSOverridingOptions.with_default_policies())
        except Exception as error:  # rclpy's own, which say neither parameter nor topic
            found = self._node.resolve_topic_name(topic)
            raise ParameterError(
                f'{parameter}: {found} cannot be subscribed to: {error}. Do the parameters '
                f'qos_overrides.{found}.subscription.… of the start have values that QoS '
                'policies take?') from error
        self._subscriptions.append(made)
        return made

    def destroy(self) -> None:
        """Take the subscriptions from the graph."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
