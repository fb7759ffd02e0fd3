# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The topics of a bag: found by name, type and robot, or refused with what there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import re

from tetra_vpr_ros.mapping.sources.bag_reader import BagError, BagReader
from tetra_vpr_ros.mapping.sources.recording.pose_messages import POSE_TYPES
from tetra_vpr_ros.mapping.sources.recording.topic_choice import (
    of_another_robot, tells_where, topics_beside, transform_topics)

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
TF_TYPES = ('tf2_msgs/msg/TFMessage', 'tf/msg/tfMessage')
_OF_A_ROBOT = (*IMAGE_TYPES, INFO_TYPE, *POSE_TYPES, *TF_TYPES)
_VIDEO = re.compile('Packet$|CompressedVideo$')  # Theora, FFmpeg, Foxglove
_SHOWN = 12  # topics that an error lists


class BagTopics(BagReader):
    """One bag, opened for reading; see `BagReader`."""

    def find_image_topic(self, wanted: str | None = None) -> str:
        """
        Return the image topic to use.

        :raises BagError: the wanted topic is missing or no image topic, or none was
            named and there is not exactly one; the candidates are listed.
        """
        return self._find(wanted, IMAGE_TYPES, 'image', '--image-topic', '', self._videos)

    def _find(self, wanted: str | None, types: Sequence[str], kind: str, option: str,
              image_topic: str, hint_for: Callable[[int], str]) -> str:
        """
        Return the wanted topic, or the one that is found by its type.

        :param wanted: None finds it.
        :param types: of such topics.
        :param kind: what a person calls them.
        :param option: by which one is named.
        :param image_topic: of the camera, of whose robot poses are to be.
        :param hint_for: a number of candidates: what else to tell where that is not one.
        """
        topics = self.topics()
        candidates = sorted(name for name, msgtype in topics.items()
                            if msgtype in types and not name.endswith('/compressedDepth'))
        if wanted in candidates:
            return wanted
        listed = self._listed(candidates) or f'none, but {self._listed(sorted(topics))}'
        if wanted is not None:
            found = f', it is of type {topics[wanted]}' if wanted in topics else ''
            raise BagError(f'{self.path} has no {kind} topic {wanted!r}{found}; '
                           f'it has: {listed}')
        # Not every writer counts its messages: then none has any.
        likely = [name for name in candidates if self.message_count(name)] or candidates
        if kind == 'pose':
            likely = [name for name in likely if tells_where(name)
                      and not of_another_robot(name, image_topic, self._robots_topics())]
        if len(likely) == 1:
            return likely[0]
        hint = hint_for(len(likely))
        if not candidates:
            raise BagError(f"{self.path} has no {kind} topic ({', '.join(types)}); it has: "
                           f"{self._listed(sorted(topics)) or 'no message'}{hint}")
        if len(likely) < len(candidates):
            hint = f'{hint}; those without a message, of goals or of another robot do not count'
        raise BagError(f'{self.path} has {len(likely)} {kind} topics, name one with '
                       f'{option}: {listed}{hint}')

    def _listed(self, names: Sequence[str]) -> str:
        """Return topics with their types, the first of many."""
        shown = [f'{name} ({self.topics()[name]})' for name in names[:_SHOWN]]
        more = [f'{len(names) - _SHOWN} more'] if len(names) > _SHOWN else []
        return ', '.join([*shown, *more])

    def _videos(self, _found: int) -> str:
        """Return the topics of encoded video, whose pictures cannot be read one by one."""
        found = sorted(f'{name} ({msgtype})' for name, msgtype in self.topics().items()
                       if _VIDEO.search(msgtype))
        return (f"; video is not read: {', '.join(found)}: play the bag and record what 'ros2 run "
                "image_transport republish' makes of it with out_transport compressed"
                ) if found else ''

    def _robots_topics(self) -> list[str]:
        return [name for name, msgtype in self.topics().items() if msgtype in _OF_A_ROBOT]

    def _find_transform_topics(self, image_topic: str, tf_topic: str | None) -> list[list[str]]:
        """
        Return the transform topics that may be the camera's robot's, the likeliest first.

        :raises BagError: the wanted one is missing, or they are those of other robots.
        """
        topics = sorted(n for n, msgtype in self.topics().items() if msgtype in TF_TYPES)
        if tf_topic is not None:
            if tf_topic not in topics:
                raise BagError(f'{self.path} has no transform topic {tf_topic!r}; it has: '
                               f"{', '.join(topics) or 'none'}")
            return [topics_beside(tf_topic, topics)]
        choices = transform_topics(topics, image_topic)
        mine = self._robots_topics()
        if not choices or any(of_another_robot(name, image_topic, mine)
                              for names in choices for name in names):
            raise BagError(f'{self.path} has transforms of other robots than that of '
                           f'{image_topic or "the camera"}: name those to take with --tf-topic: '
                           f"{', '.join(topics)}")
        return choices
