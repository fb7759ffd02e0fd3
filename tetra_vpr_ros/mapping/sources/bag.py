# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images and poses from bags."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection
from tetra_vpr_ros.mapping.camera import Camera, info_topic, Intrinsics
from tetra_vpr_ros.mapping.sources.bag_reader import BagError, Item
from tetra_vpr_ros.mapping.sources.pose_track import Origin, PoseTrack, TrackError
from tetra_vpr_ros.mapping.sources.recording.bag_topics import BagTopics, INFO_TYPE, TF_TYPES
from tetra_vpr_ros.mapping.sources.recording.image_message import ImageMessage
from tetra_vpr_ros.mapping.sources.recording.pose_messages import (
    fix_row, FIX_TYPE, path_rows, PATH_TYPE, pose_row, POSE_TYPES, Row, stamp_of, transform_row)
from tetra_vpr_ros.mapping.sources.recording.pose_records import PoseRecords
from tetra_vpr_ros.mapping.sources.recording_clock import RecordingClock
from tetra_vpr_ros.mapping.sources.transforms import TransformBuffer
from tqdm import tqdm

_ENOUGH_INFOS = 10  # a driver that is not calibrated says so again and again
_PATH_EVERY = 1_000_000_000  # ns: a path holds all poses so far, and comes with each

_Transform = tuple[str, str, int, Row]


class BagSource(BagTopics):
    """
    One bag, opened for reading.

    :param path: rosbag2 folder or file, or ROS 1 bag.
    :param progress: show a progress bar while poses are read.
    :raises BagError: the bag is missing, damaged or of an unknown format.
    :ivar clock: that of the poses, once they are read; their track is in its time.
    :ivar pose_times: stamps of the poses and when they were recorded, nanoseconds; of
        transforms those that move most.
    :ivar notes: what a person should know of the bag and its poses.
    """

    def __init__(self, path: Path | str, progress: bool = False) -> None:
        """Open the bag."""
        super().__init__(path, progress)
        self.clock = RecordingClock()
        self.pose_times: tuple[Sequence[int], Sequence[int]] = (), ()
        self._pose_frames: dict[str, None] = {}  # in the order in which they came

    @property
    def pose_frame(self) -> str:
        """Frame of the poses of a topic, as the first of its messages that names one says."""
        return next((frame for frame in self._pose_frames if frame), '')

    def find_pose_topic(self, wanted: str | None = None, image_topic: str = '') -> str:
        """
        Return the pose topic to use; errors as in `find_image_topic`.

        :param wanted: None finds it by type: neither one of another robot than the camera's,
            nor one of goals.
        :param image_topic: of the camera.
        """
        if wanted is not None and self.topics().get(wanted) == PATH_TYPE:
            return wanted
        return self._find(wanted, POSE_TYPES, 'pose', '--pose-topic', image_topic,
                          self._other_poses)

    def _other_poses(self, found: int) -> str:
        """Return what else than a pose topic the poses could come from."""
        topics = self.topics()
        paths = sorted(name for name, msgtype in topics.items() if msgtype == PATH_TYPE)
        hint = f"; trajectories may be: {', '.join(paths)}" if paths else ''
        if not found and any(msgtype in TF_TYPES for msgtype in topics.values()):
            buffer = self._transforms([n for n, msgtype in topics.items() if msgtype in TF_TYPES])
            hint += ('; it has transforms: name two frames with --tf-frames PARENT CHILD '
                     f"(there are: {', '.join(buffer.frames())})")
        return hint

    def images(self, topic: str, start: int | None = None) -> Iterator[ImageMessage]:
        """
        Yield the camera messages of a topic in the order of the bag.

        :param topic: of the camera.
        :param start: nanoseconds; those that were recorded before do not matter.
        """
        def take(_: Connection, received: int, message: Any) -> ImageMessage:
            return ImageMessage(stamp_of(message, received), received, topic, message)

        yield from self._messages([topic], take, start=start)

    def camera(self, image_topic: str) -> Camera | None:
        """
        Return the camera of an image topic, as the ``camera_info`` beside it tells.

        :returns: None where there is none, or it is not calibrated.
        """
        topic = info_topic(image_topic)
        if self.topics().get(topic) != INFO_TYPE:
            return None

        def take(_: Connection, _received: int, message: Any) -> Camera | None:
            return Intrinsics.of(message, image_topic).camera()

        try:
            infos = islice(self._messages([topic], take), _ENOUGH_INFOS)
            return next((camera for camera in infos if camera is not None), None)
        except BagError:  # the reading of poses tells of it
            return None

    def pose_track(self, topic: str, origin: Origin | None = None
                   ) -> PoseTrack:
        """
        Read a pose topic.

        :param topic: of one of `POSE_TYPES`, or a path.
        :param origin: of the local frame of GPS fixes; None takes the first fix.
        :returns: the track, in the time of `clock`; for NavSatFix it knows the origin of
            its local frame.
        :raises BagError: there is no usable pose.
        """
        kind = self.topics()[topic]
        records = PoseRecords(kind == FIX_TYPE)
        if kind == PATH_TYPE:
            self._read_path(topic, records)
        else:
            read = fix_row if kind == FIX_TYPE else pose_row

            def take(_: Connection, received: int, message: Any
                     ) -> tuple[int, int, tuple[float, ...], bool]:
                self._pose_frames[str(message.header.frame_id)] = None
                return stamp_of(message, received), received, *read(message)

            for record in self._poses([topic], take):
                records.add(*record)
        try:
            track = records.track(origin)
        except (TrackError, OverflowError) as error:
            raise self._fault(f'{self.path}, topic {topic}: {error}') from error
        self.clock, self.pose_times = records.clock, records.pose_times
        self.notes += [f'{self.path}, topic {topic}: {note}' for note in records.notes]
        frames = [frame for frame in self._pose_frames if frame]
        if kind != FIX_TYPE and len(frames) > 1:
            self.notes.append(
                f'{self.path}, topic {topic}: its poses are in several frames, {frames[0]!r} and '
                f'{frames[1]!r} among them, and are taken for those of one: take poses in one '
                'frame, for example --tf-frames map base_link')
        return track

    def _read_path(self, topic: str, records: PoseRecords) -> None:
        """Read the poses of a path; of each stamp the newest, as loops are closed."""
        def take(_: Connection, received: int, message: Any) -> tuple[int, list[tuple[int, Row]]]:
            self._pose_frames[str(message.header.frame_id)] = None
            return received, path_rows(message)

        came: dict[int, int] = {}  # when a pose was first known: only then its stamp was news
        newest: dict[int, Row] = {}
        for received, rows in self._poses([topic], take, _PATH_EVERY):
            for stamp, row in rows:
                came.setdefault(stamp, received)
                newest[stamp] = row
        for stamp, row in sorted(newest.items()):
            records.add(stamp, came[stamp], row)

    def transform_track(self, parent: str, child: str, max_gap: int | None = None,
                        image_topic: str = '', tf_topic: str | None = None) -> PoseTrack:
        """
        Read the pose of one frame in another from ``/tf`` and ``/tf_static``.

        :param parent: frame of the poses.
        :param child: frame whose pose it is.
        :param max_gap: nanoseconds between two transforms that may be interpolated; None
            takes what their rate suggests.
        :param image_topic: whose namespace the transforms are taken from.
        :param tf_topic: of the transforms; None finds it.
        :raises BagError: the frames are unknown or not connected; the known are listed. Or
            nothing moves between them, or there are transforms of several robots.
        """
        choices = self._find_transform_topics(image_topic, tf_topic)
        for names in choices:
            buffer = self._transforms(names)
            try:
                track = buffer.chain(parent, child, max_gap)
            except (TrackError, OverflowError) as error:
                if names is choices[-1]:
                    raise self._fault(f'{self.path}: {error}') from error
                continue
            if not buffer.pose_times[0]:
                raise BagError(f'{self.path}: the transforms from {parent!r} to {child!r} are all '
                               'static: name frames between which the robot moves, and record '
                               '/tf')
            self.clock, self.pose_times = buffer.clock, buffer.pose_times
            self.notes += [f'{self.path}: {note}' for note in buffer.notes]
            return track
        raise AssertionError('there is always a choice')

    def _transforms(self, names: Sequence[str]) -> TransformBuffer:
        buffer = TransformBuffer()

        def take(connection: Connection, received: int, message: Any
                 ) -> tuple[bool, int, list[_Transform]]:
            return (connection.topic.endswith('tf_static'), received,
                    [_transform(item, received) for item in message.transforms])

        for static, received, items in self._poses(names, take):
            for parent, child, stamp, values in items:
                buffer.add(parent, child, stamp, values, static, received)
        return buffer

    def _fault(self, text: str) -> BagError:
        """Return an error, with what could not be read: that may be why."""
        return BagError('; '.join([text, *self.problems]))

    def _poses(self, topics: Sequence[str], take: Callable[[Connection, int, Any], Item],
               every: int = 0) -> Iterator[Item]:
        total = sum(self.message_count(topic) for topic in topics)
        try:
            yield from tqdm(self._messages(topics, take, every), total=total, unit='pose',
                            desc=f'poses of {self.path.name}', disable=not self._progress)
        except BagError as error:
            self.problems.append(str(error))  # those before the damage are used


def _transform(item: Any, received: int) -> _Transform:
    return (str(item.header.frame_id), str(item.child_frame_id), stamp_of(item, received),
            transform_row(item))
