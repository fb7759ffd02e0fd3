# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a recording belong to the same robot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
import re

_NOT_WHERE_IT_IS = ('goal_pose', 'goal', 'initialpose', 'clicked_pose', 'set_pose')
TF_NAMES = ('tf', 'tf_static')


def namespace(topic: str) -> tuple[str, ...]:
    """Return the parts of a topic's name but the last."""
    return tuple(topic.strip('/').split('/')[:-1])


def robots(topics: Iterable[str]) -> dict[str, set[str]]:
    """
    Return the first parts of names that look like robots, and which are beside each.

    Robots have topics of the same names below, or differ but in a number.
    """
    below = defaultdict(set)
    for topic in topics:
        first, slash, rest = topic.strip('/').partition('/')
        if slash:
            below[first].add(rest)
    beside = {}
    for one, names in below.items():
        beside[one] = {other for other, others in below.items() if other != one and (
            names & others or re.sub(r'\d+', '#', one) == re.sub(r'\d+', '#', other))}
    return beside


def of_another_robot(topic: str, image_topic: str, topics: Iterable[str]) -> bool:
    """
    Tell whether a topic is that of another robot than the camera's.

    :param topic: in question.
    :param image_topic: of the camera.
    :param topics: all of the recording.
    """
    first, own = topic.strip('/').split('/')[0], image_topic.strip('/').split('/')[0]
    return bool(namespace(topic)) and first in robots(topics).get(own, ())


def tells_where(topic: str) -> bool:
    """Tell whether a pose topic tells where the robot is, and not where it ought to be."""
    return topic.rpartition('/')[2] not in _NOT_WHERE_IT_IS


def transform_topics(topics: Sequence[str], image_topic: str) -> list[list[str]]:
    """
    Return the transform topics that may belong to a camera, the likeliest first.

    Those of the deepest namespace that the camera's lies in, then with those of the
    namespaces around it, as the transforms of a fleet may begin at the root.

    :param topics: of transforms.
    :param image_topic: of the camera.
    :returns: none where there are several namespaces and the camera lies in none.
    """
    usual = [topic for topic in topics if topic.rpartition('/')[2] in TF_NAMES]
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for topic in usual or topics:
        groups[namespace(topic)].append(topic)
    own = namespace(image_topic)
    around = sorted((space for space in groups if own[:len(space)] == space), key=len,
                    reverse=True)
    moving = {space for space in groups
              if any(not topic.endswith('tf_static') for topic in groups[space])}
    if not set(around) & moving:
        return [sorted(_topics_of(groups, moving | set(around)))] if len(moving) <= 1 else []
    return [_topics_of(groups, around[:count + 1]) for count in range(len(around))]


def topics_beside(topic: str, topics: Sequence[str]) -> list[str]:
    """Return a transform topic with the static one of its namespace, or the next around it."""
    space = namespace(topic)
    for depth in range(len(space), -1, -1):
        static = '/' + '/'.join((*space[:depth], 'tf_static'))
        if static in topics and static != topic:
            return [topic, static]
    return [topic]


def _topics_of(groups: dict[tuple[str, ...], list[str]], spaces: Iterable[tuple[str, ...]]
               ) -> list[str]:
    """Return the topics of some namespaces."""
    return [topic for space in spaces for topic in groups[space]]
