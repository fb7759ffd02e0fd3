# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames with poses, one after the other: what a map is built from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tetra_vpr_ros.mapping.building.build_options import BuildOptions
from tetra_vpr_ros.mapping.sources.bag_source import BagError, BagSource
from tetra_vpr_ros.mapping.sources.pose_track import Pose, PoseTrack
from tetra_vpr_ros.mapping.sources.recording_clock import RecordingClock
from tetra_vpr_ros.vision.decoding import Image


@dataclass(frozen=True)
class Frame:
    """
    One picture, not decoded yet.

    :ivar stamp_ns: nanoseconds.
    :ivar pose: of the robot, or None where it is not known.
    :ivar decode: returns RGB uint8 ``[H, W, 3]``; raises ImageError.
    """

    stamp_ns: int
    pose: Pose | None
    decode: Callable[[], Image]


class Traverse(Protocol):
    """
    One drive along a way.

    :ivar source: by which a map knows it again.
    :ivar problems: what could not be read so far.
    """

    source: str
    problems: list[str]

    @property
    def name(self) -> str:
        """Return what a person calls it."""

    @property
    def length(self) -> int:
        """Return the number of frames."""

    def frames(self) -> Iterator[Frame]:
        """Yield the frames, always in the same order; see `problems` afterwards."""


@dataclass
class BagTraverse:
    """
    A bag whose topics are resolved and whose poses are read.

    :ivar path: of the bag.
    :ivar source: by which a map knows it.
    :ivar image_topic: of the camera.
    :ivar track: poses, in the time of ``clock``.
    :ivar clock: of the recording.
    :ivar max_gap: nanoseconds between two poses that may be interpolated.
    :ivar count: number of frames.
    :ivar problems: what could not be read so far.
    """

    path: Path
    source: str
    image_topic: str
    track: PoseTrack
    clock: RecordingClock
    max_gap: int
    count: int
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the name of the bag."""
        return self.path.name

    @property
    def length(self) -> int:
        """Return the number of frames."""
        return self.count

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in the order of the bag."""
        with BagSource(self.path) as bag:
            try:
                for message in bag.images(self.image_topic):
                    stamp = self.clock.convert(message.stamp_ns, message.received_ns)
                    yield Frame(message.stamp_ns, self.track.at(stamp, self.max_gap),
                                message.decode)
            except BagError as error:  # nothing more will ever come of this bag
                self.problems.append(str(error))
            self.problems[:] = dict.fromkeys([*self.problems, *bag.problems])


def source_of(path: Path, topic: str) -> str:
    """Return the name by which a map knows the images of a bag."""
    return f'{path.resolve()}:{topic}'


def read_bag(path: Path, options: BuildOptions, origin: tuple[float, float, float] | None,
             known: dict[str, bool], progress: bool) -> BagTraverse | None:
    """
    Resolve the topics of a bag and read its poses.

    :param path: of the bag.
    :param options: say which topics.
    :param origin: of the frame of GPS fixes; None takes the first fix.
    :param known: sources that the map holds, and whether they are complete.
    :param progress: show a bar.
    :returns: the traverse, or None where the map holds all of it.
    :raises BagError: a topic or the poses cannot be used.
    """
    max_gap = int(options.max_pose_gap * 1e9)
    with BagSource(path, progress) as bag:
        topic = bag.find_image_topic(options.image_topic)
        source = source_of(path, topic)
        if known.get(source):
            return None
        if options.tf_frames is not None:
            track = bag.transform_track(*options.tf_frames, max_gap)
        else:
            track = bag.pose_track(bag.find_pose_topic(options.pose_topic), origin)
        return BagTraverse(path, source, topic, track, bag.clock, max_gap,
                           bag.message_count(topic), bag.problems)
