# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The traverse that a bag holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.mapping.sources.bag import BagSource
from tetra_vpr_ros.mapping.sources.bag_reader import BagError
from tetra_vpr_ros.mapping.sources.pose_track import (
    moves_along_z, Origin, PoseTrack, TrackError, usual_gap)
from tetra_vpr_ros.mapping.sources.recording.clock_check import PoseClock
from tetra_vpr_ros.mapping.sources.recording.image_message import ImageMessage
from tetra_vpr_ros.mapping.sources.recording_clock import RecordingClock
from tetra_vpr_ros.mapping.sources.traverse import Frame

HEADER, RECEIVED = IMAGE_TIMES = 'header', 'received'
"""Whose times images have: the camera's or the recorder's."""

_FIRST = 10  # images that tell whether camera and poses are dated by the same clock


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
    :ivar image_time: whose times the images have, see `Topics`.
    :ivar shift: nanoseconds from the time of recording to that of the poses.
    :ivar frame: of the poses, as their messages call it.
    :ivar problems: what could not be read so far.
    :ivar notes: what else a person should know.
    """

    path: Path
    source: str
    image_topic: str
    track: PoseTrack
    clock: RecordingClock
    max_gap: int
    count: int
    camera: Camera | None = None
    image_time: str = HEADER
    shift: int = 0
    frame: str = ''
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

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
                    yield self._frame(message)
            except BagError as error:  # nothing more will ever come of this bag
                self.problems.append(str(error))
            self.problems[:] = dict.fromkeys([*self.problems, *bag.problems])

    def _frame(self, message: ImageMessage) -> Frame:
        taken = message.taken_ns(self.image_time == HEADER)
        stamp = self.clock.convert(taken + self.shift, message.received_ns)
        pose = self.track.at(stamp, self.max_gap)
        return Frame(taken, pose, message.decode, f'{self.image_topic} at {taken / 1e9:.3f} s',
                     '' if pose is not None else self.track.why_none(stamp, self.max_gap))


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
    :ivar tf_topic: of the transforms; None takes those of the camera's namespace.
    :ivar image_time: whose times the images have: their ``header``'s, or when they were
        ``received`` by the recorder.
    :ivar max_gap: nanoseconds between two poses that may be interpolated; None takes what
        their rate suggests.
    """

    image: str | None = None
    pose: str | None = None
    tf_frames: tuple[str, str] | None = None
    tf_topic: str | None = None
    image_time: str = HEADER
    max_gap: int | None = None


def read_bag(path: Path, wanted: Topics, origin: Origin | None, known: Mapping[str, bool],
             progress: bool) -> BagTraverse | None:
    """
    Resolve the topics of a bag and read its poses.

    :param path: of the bag.
    :param wanted: its topics.
    :param origin: of the frame of GPS fixes; None takes the first fix.
    :param known: sources that the map holds, and whether they are complete.
    :param progress: show a bar.
    :returns: the traverse, or None where the map holds all of it.
    :raises BagError: a topic or the poses cannot be used, or images and poses are dated by
        different clocks.
    """
    with BagSource(path, progress) as bag:
        topic = bag.find_image_topic(wanted.image)
        source = source_of(path, topic)
        if known.get(source):
            return None
        if wanted.tf_frames is not None:
            track = bag.transform_track(*wanted.tf_frames, wanted.max_gap, topic, wanted.tf_topic)
        else:
            track = bag.pose_track(bag.find_pose_topic(wanted.pose, topic), origin)
        if moves_along_z(track.positions, track.quaternions):
            bag.notes.append(f"{path}: the poses move along their z, as a camera's do, but x is "
                             'to look ahead: name a frame whose x does with --tf-frames')
        gap = usual_gap(track.stamps) if wanted.max_gap is None else wanted.max_gap
        shift = _check_clock(bag, topic, wanted.image_time)
        return BagTraverse(path, source, topic, track, bag.clock, gap, bag.message_count(topic),
                           bag.camera(topic), wanted.image_time, shift,
                           wanted.tf_frames[0] if wanted.tf_frames else bag.pose_frame,
                           bag.problems, bag.notes)


def _check_clock(bag: BagSource, topic: str, image_time: str) -> int:
    """
    Compare the first images with the poses that were recorded with them.

    :returns: nanoseconds from the time of recording to that of the poses.
    """
    clock = PoseClock(*bag.pose_times)
    if not clock.runs or bag.clock.jumps:
        return 0
    shift = clock.shift if image_time == RECEIVED else 0
    if shift:
        bag.notes.append(f'{bag.path}: its poses are dated {shift / 1e9:+.3f} s from the times '
                         'of the recording, and its images are, too')
    try:
        images = [(image.taken_ns(image_time == HEADER) + shift, image.received_ns)
                  for image in islice(bag.images(topic, clock.received[0]), _FIRST)]
        if images:
            clock.refuse_stopped(images, topic)
        note = clock.check(images, bag.end, topic)
    except TrackError as error:
        raise BagError(f'{bag.path}: {error}') from error
    except BagError:  # the walk through the frames tells of it
        return shift
    bag.notes += [f'{bag.path}: {note}'] if note else []
    return shift
