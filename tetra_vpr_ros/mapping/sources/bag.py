# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images and poses from bags: rosbag2 folders, .mcap, .db3 and ROS 1 .bag, without ROS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection
from rosbags.typesys import get_typestore, Stores
from tetra_vpr_ros.mapping.camera import Camera, info_topic
from tetra_vpr_ros.mapping.sources.gps import track_from_fixes
from tetra_vpr_ros.mapping.sources.pose_track import Origin, PoseTrack, TrackError
from tetra_vpr_ros.mapping.sources.recording_clock import RecordingClock
from tetra_vpr_ros.mapping.sources.transforms import TransformBuffer
from tetra_vpr_ros.vision.decoding import decode_message, Image, ImageError
from tqdm import tqdm

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
POSE_TYPES = ('nav_msgs/msg/Odometry', 'geometry_msgs/msg/PoseStamped',
              'geometry_msgs/msg/PoseWithCovarianceStamped', 'sensor_msgs/msg/NavSatFix')
INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
TF_TYPE = 'tf2_msgs/msg/TFMessage'
_OLD_TF_TYPE = 'tf/msg/tfMessage'
_ENOUGH_INFOS = 10  # a driver that is not calibrated says so again and again
_LATEST = 2**63 - 1  # nanoseconds that a map can hold

Item = TypeVar('Item')
_Transform = tuple[str, str, int, tuple[float, ...]]


class BagError(RuntimeError):
    """A bag that cannot be used; the text names it and how to mend it."""


@dataclass(frozen=True)
class ImageMessage:
    """A camera message, not decoded yet."""

    stamp_ns: int
    received_ns: int
    topic: str
    message: Any

    def decode(self) -> Image:
        """
        Decode to RGB uint8 ``[H, W, 3]``.

        :raises ImageError: the message holds no valid picture.
        """
        try:
            return decode_message(self.message)
        except ImageError as error:
            raise ImageError(f'{self.topic}: {error}') from error


class BagSource:
    """
    One bag, opened for reading.

    :param path: rosbag2 folder or file, or ROS 1 bag.
    :param progress: show a progress bar while poses are read.
    :raises BagError: the bag is missing, damaged or of an unknown format.
    :ivar clock: that of the poses, once they are read; their track is in its time.
    :ivar problems: what could not be read so far, for a person.
    """

    def __init__(self, path: Path | str, progress: bool = False) -> None:
        """Open the bag."""
        self.path = Path(path)
        self._progress = progress
        self.clock = RecordingClock()
        if not self.path.exists():
            raise BagError(f'no such bag: {self.path}')
        if self.path.is_dir() and not (self.path / 'metadata.yaml').is_file():
            raise BagError(f'{self.path} has no metadata.yaml, so it is no rosbag2 folder: '
                           "name one, or a .mcap, .db3 or .bag file, or run 'ros2 bag reindex'")
        self.problems: list[str] = []
        self._malformed: Counter[str] = Counter()
        self._stack = ExitStack()
        try:
            self._reader = self._open([self.path])
        except Exception as error:  # the readers raise their own, sqlite3's and struct's errors
            try:
                self._reader = self._open(self._recovered(error))
            except BagError:
                self._stack.close()
                raise
            except Exception as second:  # the copy is whole, yet what it holds is not
                self._stack.close()
                raise BagError(f'{self.path} cannot be read: {second}; copy it again'
                               ) from second

    def _open(self, paths: Sequence[Path]) -> AnyReader:
        return self._stack.enter_context(AnyReader(
            paths, default_typestore=get_typestore(Stores.ROS2_JAZZY)))

    def _recovered(self, error: Exception) -> list[Path]:
        """Return whole copies of MCAP files that were cut, beginning with what they hold."""
        files = (sorted(self.path.glob('*.mcap')) if self.path.is_dir()
                 else [self.path] if self.path.suffix == '.mcap' else [])
        copies, count = [], 0
        if files:
            try:
                from tetra_vpr_ros.mapping.sources.bag_recovery import recover_mcap
            except ImportError as missing:  # it is in no distribution's packages
                raise BagError(f'{self.path} is cut off ({error}): to read what it holds, '
                               'pip install mcap') from missing
            folder = Path(self._stack.enter_context(
                TemporaryDirectory(prefix='tetra_vpr_recovered_')))
            for file in files:
                found = recover_mcap(file, folder / file.name, self._progress)
                if found:
                    copies.append(folder / file.name)
                count += found
        if not copies:
            raise BagError(f'{self.path} cannot be read: {error}; copy it again, or try '
                           "'ros2 bag reindex'") from error
        self.problems.append(f'{self.path} is cut off ({error}): {count} messages were recovered')
        return copies

    def __enter__(self) -> BagSource:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the bag."""
        self._stack.close()

    def topics(self) -> dict[str, str]:
        """Return all topics with their types."""
        return {c.topic: c.msgtype for c in self._reader.connections}

    def find_image_topic(self, wanted: str | None = None) -> str:
        """
        Return the image topic to use.

        :raises BagError: the wanted topic is missing or no image topic, or none was
            named and there is not exactly one; the candidates are listed.
        """
        return self._find(wanted, IMAGE_TYPES, 'image', '--image-topic')

    def find_pose_topic(self, wanted: str | None = None) -> str:
        """Return the pose topic to use; errors as in `find_image_topic`."""
        return self._find(wanted, POSE_TYPES, 'pose', '--pose-topic')

    def _find(self, wanted: str | None, types: Sequence[str], kind: str, option: str) -> str:
        topics = self.topics()
        candidates = sorted(name for name, msgtype in topics.items()
                            if msgtype in types and not name.endswith('/compressedDepth'))
        listed = ', '.join(f'{name} ({topics[name]})' for name in candidates) or 'none'
        if wanted is not None:
            if wanted in candidates:
                return wanted
            raise BagError(f'{self.path} has no {kind} topic {wanted!r}; it has: {listed}')
        if len(candidates) == 1:
            return candidates[0]
        hint = ''
        if kind == 'pose' and not candidates and TF_TYPE in topics.values():
            hint = ('; it has transforms: name two frames with --tf-frames PARENT CHILD '
                    f"(there are: {', '.join(self._transforms().frames())})")
        raise BagError(f'{self.path} has {len(candidates)} {kind} topics, name one with '
                       f'{option}: {listed}{hint}')

    def message_count(self, topic: str) -> int:
        """Return the number of messages of a topic."""
        return sum(c.msgcount for c in self._connections(topic))

    def images(self, topic: str) -> Iterator[ImageMessage]:
        """Yield the camera messages of a topic in the order of the bag."""
        def take(_: Connection, received: int, message: Any) -> ImageMessage:
            return ImageMessage(_stamp(message, received), received, topic, message)

        yield from self._messages([topic], take)

    def camera(self, image_topic: str) -> Camera | None:
        """
        Return the camera of an image topic, as the ``camera_info`` beside it tells.

        :returns: None where there is none, or it is not calibrated.
        """
        topic = info_topic(image_topic)
        if self.topics().get(topic) != INFO_TYPE:
            return None

        def take(_: Connection, _received: int, message: Any) -> Camera | None:
            matrix = message.K if hasattr(message, 'K') else message.k  # of ROS 1, of ROS 2
            return Camera.from_intrinsics(message.width, message.height, matrix,
                                          message.distortion_model)

        try:
            infos = islice(self._messages([topic], take), _ENOUGH_INFOS)
            return next((camera for camera in infos if camera is not None), None)
        except BagError:  # the reading of poses tells of it
            return None

    def pose_track(self, topic: str, origin: Origin | None = None
                   ) -> PoseTrack:
        """
        Read a pose topic.

        :param topic: of one of `POSE_TYPES`.
        :param origin: of the local frame of GPS fixes; None takes the first fix.
        :returns: the track, in the time of `clock`; for NavSatFix it knows the origin of
            its local frame.
        :raises BagError: there is no usable pose.
        """
        self.clock = RecordingClock()
        stamps: list[int] = []
        rows: list[tuple[float, ...]] = []
        is_fix = self.topics()[topic] == 'sensor_msgs/msg/NavSatFix'

        def take(_: Connection, received: int, message: Any
                 ) -> tuple[int, int, tuple[float, ...] | None]:
            return (_stamp(message, received), received,
                    _fix_row(message) if is_fix else _pose_row(message))

        for stamp, received, row in self._poses([topic], take):
            if row is not None:
                rows.append(row)
                stamps.append(self.clock.hear(stamp, received))
        try:
            values = np.array(rows, np.float64)
            if is_fix:
                return track_from_fixes(stamps, values, origin)
            if not rows:
                raise TrackError('there is no message')
            return PoseTrack(stamps, values[:, :3], values[:, 3:])
        except (TrackError, OverflowError) as error:
            raise BagError(f'{self.path}, topic {topic}: {error}') from error

    def transform_track(self, parent: str, child: str, max_gap: int) -> PoseTrack:
        """
        Read the pose of one frame in another from ``/tf`` and ``/tf_static``.

        :raises BagError: the frames are unknown or not connected; the known are listed.
        """
        try:
            return self._transforms().chain(parent, child, max_gap)
        except (TrackError, OverflowError) as error:
            raise BagError(f'{self.path}: {error}') from error

    def _transforms(self) -> TransformBuffer:
        self.clock = RecordingClock()
        buffer = TransformBuffer()
        names = [name for name, msgtype in self.topics().items()
                 if msgtype in (TF_TYPE, _OLD_TF_TYPE)]

        def take(connection: Connection, received: int, message: Any
                 ) -> tuple[bool, int, list[_Transform]]:
            return (connection.topic.endswith('tf_static'), received,
                    [_transform(item, received) for item in message.transforms])

        for static, received, items in self._poses(names, take):
            for parent, child, stamp, values in items:
                buffer.add(parent, child, stamp if static else self.clock.hear(stamp, received),
                           values, static)
        return buffer

    def _connections(self, topic: str) -> list[Connection]:
        return [c for c in self._reader.connections if c.topic == topic]

    def _poses(self, topics: Sequence[str], take: Callable[[Connection, int, Any], Item]
               ) -> Iterator[Item]:
        total = sum(self.message_count(topic) for topic in topics)
        try:
            yield from tqdm(self._messages(topics, take), total=total, unit='pose',
                            desc=f'poses of {self.path.name}', disable=not self._progress)
        except BagError as error:
            self.problems.append(str(error))  # those before the damage are used

    def _messages(self, topics: Sequence[str], take: Callable[[Connection, int, Any], Item]
                  ) -> Iterator[Item]:
        """Yield what is taken of the messages, given their connection and when they came."""
        connections = [c for name in topics for c in self._connections(name)]
        if not connections:
            return
        messages = self._reader.messages(connections)
        while True:
            try:
                connection, received, data = next(messages)
            except StopIteration:
                return
            except Exception as error:
                raise BagError(f'{self.path} is damaged at {topics[0]}: {error}') from error
            try:
                item = take(connection, received,
                            self._reader.deserialize(data, connection.msgtype))
            except Exception as error:  # of one message: the next may be sound
                self._malformed[connection.topic] += 1
                if self._malformed[connection.topic] == 1:
                    self.problems.append(f'{self.path}: malformed messages on '
                                         f'{connection.topic}, the first: {error}')
                continue
            yield item


def _stamp(message: Any, received: int) -> int:
    """Return the header's stamp; the time of recording where a driver left it zero."""
    stamp = message.header.stamp
    nanoseconds = int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec) or received
    if abs(nanoseconds) > _LATEST:
        raise ValueError(f'its stamp is {nanoseconds} ns')
    return nanoseconds


def _fix_row(message: Any) -> tuple[float, ...] | None:
    """Return latitude, longitude and altitude; None where the receiver says it has no fix."""
    if message.status.status < 0:
        return None
    return float(message.latitude), float(message.longitude), float(message.altitude)


def _pose_row(message: Any) -> tuple[float, ...]:
    pose = message.pose
    while not hasattr(pose, 'position'):  # PoseWithCovariance wraps a Pose
        pose = pose.pose
    return (*_floats(pose.position, 'xyz'), *_floats(pose.orientation, 'xyzw'))


def _transform(item: Any, received: int) -> _Transform:
    return (str(item.header.frame_id), str(item.child_frame_id), _stamp(item, received), (
        *_floats(item.transform.translation, 'xyz'), *_floats(item.transform.rotation, 'xyzw')))


def _floats(vector: Any, names: str) -> Iterator[float]:
    return (float(getattr(vector, name)) for name in names)
