# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Why nothing comes on a topic, as far as the graph tells it."""

from __future__ import annotations

from collections.abc import Sequence
import time
from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_check_compatible, QoSCompatibility
from tetra_vpr_ros.nodes.localizer.inputs.image_topic import COMPRESSED

_IMAGES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
_NAMED = 4  # topics or publishers, of many


class Listened:
    """
    A subscription and when its last message came.

    :param node: that listens.
    :param subscription: of rclpy.
    """

    def __init__(self, node: Node, subscription: Any) -> None:
        """Begin to wait."""
        self._node, self._subscription = node, subscription
        self.topic: str = subscription.topic_name
        self.kind = _type_name(subscription.msg_type)
        self._last = time.monotonic()
        self.count = 0

    def came(self) -> None:
        """Note that a message came."""
        self._last = time.monotonic()
        self.count += 1

    def silent(self) -> float:
        """Return for how many seconds nothing came."""
        return time.monotonic() - self._last

    def mistaken(self) -> bool:
        """Tell whether somebody publishes on the topic, but nobody what is listened to."""
        return self._none_fits(self._node.get_publishers_info_by_topic(self.topic))

    def _none_fits(self, publishers: Sequence[Any]) -> bool:
        return bool(publishers) and all(p.topic_type != self.kind for p in publishers)

    def why(self) -> str:
        """Return who publishes on the topic, and what to change so that it comes."""
        qos = self._subscription.qos_profile
        asked = f'{self.topic} ({self.kind}, {_qos_name(qos)})'
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        if not publishers:
            return f'{asked} is published by nobody; {self._elsewhere()}'
        if self._none_fits(publishers):
            other = publishers[0].topic_type
            mend = (_other_transport(self.topic, other) if self.kind in _IMAGES
                    else f'name a topic of {self.kind}')
            return f'{asked} is published by {_names(publishers)} as {other}: {mend}'
        fitting = [p for p in publishers if p.topic_type == self.kind]
        refused = [p for p in fitting if qos_check_compatible(
            p.qos_profile, qos)[0] == QoSCompatibility.ERROR]
        if len(refused) == len(fitting):
            why = qos_check_compatible(refused[0].qos_profile, qos)[1].strip(' ;')
            return (f'{asked} is published by {_names(refused)} as '
                    f'{_qos_name(refused[0].qos_profile)}, which does not fit ({why}): change '
                    f'qos_overrides.{self.topic}.subscription.… of this node or the publisher')
        more = ' any more' if self.count else ''
        return (f'{asked} is published by {_names(fitting)} '
                f'({_qos_name(fitting[0].qos_profile)}), but nothing comes{more}: is it paused, '
                'or are large messages lost (see docs/troubleshooting.md)?')

    def _elsewhere(self) -> str:
        """Return where messages of the kind could be had."""
        if self.kind not in _IMAGES:
            return 'is it called otherwise?'
        other = (self.topic.removesuffix(COMPRESSED) if self.topic.endswith(COMPRESSED)
                 else self.topic + COMPRESSED)
        found = self._node.get_publishers_info_by_topic(other)
        if found:
            return (f'{other} ({found[0].topic_type}) is: '
                    f'{_other_transport(other, found[0].topic_type)}')
        own = {publisher.topic_name for publisher in self._node.publishers}
        images = sorted(topic for topic, kinds in self._node.get_topic_names_and_types()
                        if set(kinds) & set(_IMAGES) and topic not in {self.topic, *own}
                        and self._node.count_publishers(topic))
        return (f"set image_topics to one of {', '.join(images[:_NAMED])}" if images else
                'no topic here has images: does the camera run, in this ROS_DOMAIN_ID?')


def told_of(listened: Sequence[Listened]) -> str:
    """Return why each of them is silent, as one text."""
    return '; '.join(one.why() for one in listened)


def _other_transport(topic: str, kind: str) -> str:
    if kind not in _IMAGES:
        return 'name a topic of images'
    if kind == _IMAGES[0]:
        return 'set image_transport to raw'
    if topic.endswith(COMPRESSED):
        return 'set image_transport to compressed'
    return f'remap it to a name that ends in {COMPRESSED}'


def _names(publishers: Sequence[Any]) -> str:
    names = sorted({f"{p.node_namespace.rstrip('/')}/{p.node_name}" for p in publishers
                    if 'UNKNOWN' not in p.node_name})  # discovered, but not yet introduced
    return ', '.join(names[:_NAMED]) or 'somebody'


def _type_name(kind: Any) -> str:
    return f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"


def _qos_name(qos: Any) -> str:
    return ', '.join(policy.name.lower().replace('_', ' ')
                     for policy in (qos.reliability, qos.durability))
