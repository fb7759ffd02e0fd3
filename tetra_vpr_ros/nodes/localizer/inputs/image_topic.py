# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a camera's topic is called and of which type it is, after remapping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from tetra_vpr_ros.mapping.camera import info_topic
from tetra_vpr_ros.nodes.localizer.parameters import ParameterError

COMPRESSED = '/compressed'
# Names by which image_transport's plugins publish beside a raw topic what is read here by none.
_FOREIGN = ('compressedDepth', 'theora', 'ffmpeg', 'zstd', 'draco', 'cloudini')


@dataclass(frozen=True)
class ImageTopic:
    """
    A camera's topic.

    :ivar base: of the raw images, remapped.
    :ivar subscribed: what is asked for; rclpy remaps it.
    :ivar kind: class of the messages.
    :ivar info: topic of the ``camera_info`` beside it.
    """

    base: str
    subscribed: str
    kind: Any
    info: str


def image_topic(node: Node, name: str, transport: str) -> ImageTopic:
    """
    Resolve one of ``image_topics``.

    The base name is remapped before the suffix of the transport is added, as image_transport
    does; a name that has the suffix already is of that transport.

    :param node: whose remapping rules hold.
    :param name: as the parameter has it.
    :param transport: ``raw`` or ``compressed``.
    :raises ParameterError: the topic is of a transport that is not read.
    """
    plain = name.removesuffix(COMPRESSED) or name
    base = node.resolve_topic_name(plain)
    last = base.rpartition('/')[2]
    if last in _FOREIGN:
        raise ParameterError(
            f'image_topics: {name!r} has the transport {last!r}, which is not read here: name '
            f'the topic of raw images, or that of compressed ones ({COMPRESSED[1:]})')
    compressed = transport == COMPRESSED[1:] or plain != name or base.endswith(COMPRESSED)
    base = base.removesuffix(COMPRESSED)
    info = info_topic(plain)
    if node.resolve_topic_name(info) == node.resolve_topic_name(info, only_expand=True):
        info = info_topic(base)  # nobody has remapped it: it stands beside the images
    if compressed:
        return ImageTopic(base, base + COMPRESSED, CompressedImage, info)
    return ImageTopic(base, name, Image, info)
