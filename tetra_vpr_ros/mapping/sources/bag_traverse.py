# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The traverse that a bag holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.mapping.sources.bag import BagError, BagSource
from tetra_vpr_ros.mapping.sources.pose_track import Origin, PoseTrack
from tetra_vpr_ros.mapping.sources.recording_clock import RecordingClock
from tetra_vpr_ros.mapping.sources.traverse import Frame


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
    :ivar camera: None where the bag does not tell it.
    :ivar problems: what could not be read so far.
    """

    path: Path
    source: str
    image_topic: str
    track: PoseTrack
    clock: RecordingClock
    max_gap: int
    count: int
    camera: Camera | None = None
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


@dataclass(frozen=True)
class Topics:
    """
    What of a bag is to be read.

    :ivar image: topic; None finds it by type.
    :ivar pose: topic; None finds it by type.
    :ivar tf_frames: parent and child frame; poses then come from ``/tf``.
    """

    image: str | None = None
    pose: str | None = None
    tf_frames: tuple[str, str] | None = None


def read_bag(path: Path, wanted: Topics, max_gap: int, origin: Origin | None,
             known: dict[str, bool], progress: bool) -> BagTraverse | None:
    """
    Resolve the topics of a bag and read its poses.

    :param path: of the bag.
    :param wanted: its topics.
    :param max_gap: nanoseconds between two poses that may be interpolated.
    :param origin: of the frame of GPS fixes; None takes the first fix.
    :param known: sources that the map holds, and whether they are complete.
    :param progress: show a bar.
    :returns: the traverse, or None where the map holds all of it.
    :raises BagError: a topic or the poses cannot be used.
    """
    with BagSource(path, progress) as bag:
        topic = bag.find_image_topic(wanted.image)
        source = source_of(path, topic)
        if known.get(source):
            return None
        if wanted.tf_frames is not None:
            track = bag.transform_track(*wanted.tf_frames, max_gap)
        else:
            track = bag.pose_track(bag.find_pose_topic(wanted.pose), origin)
        return BagTraverse(path, source, topic, track, bag.clock, max_gap,
                           bag.message_count(topic), bag.camera(topic), bag.problems)
