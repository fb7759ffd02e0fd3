# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One frame's way: checked, decoded, encoded, located, published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math
import re
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from tetra_vpr_ros.localization import Estimate, Localizer, View
from tetra_vpr_ros.localization.upright import DownwardLocalizer
from tetra_vpr_ros.localization.verification import VerifyingLocalizer
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.nodes.localizer.conversions import image_from_message, nanoseconds
from tetra_vpr_ros.nodes.localizer.frame.camera_frame import CameraFrame, taken_together
from tetra_vpr_ros.nodes.localizer.frame.lenses import Lenses
from tetra_vpr_ros.nodes.localizer.inputs.camera_headings import CameraHeadings
from tetra_vpr_ros.nodes.localizer.inputs.measurements import Measurements
from tetra_vpr_ros.nodes.localizer.loading import Loaded, parameter_getter
from tetra_vpr_ros.nodes.localizer.outputs.health import Health
from tetra_vpr_ros.nodes.localizer.outputs.map_to_odom import MapToOdom
from tetra_vpr_ros.nodes.localizer.outputs.publishers import LOCALIZED, SEARCHING, UNKNOWN_PLACE
from tetra_vpr_ros.nodes.localizer.relocalize import RelocalizeService
from tetra_vpr_ros.nodes.localizer.shared_localizer import LateFrameError
from tetra_vpr_ros.vision import ImageError
from tetra_vpr_ros.vision.local_features import extract_features
from tetra_vpr_ros.vision.quarter_turns import quarter_turned

_TOLD_EACH = 5.0  # seconds, of frames that are refused for the same reason
_NUMBER = re.compile(r'\d[\d.]*')


@dataclass(frozen=True)
class Transforms:
    """What goes by way of tf2, where parameters ask for it."""

    map_to_odom: MapToOdom | None = None
    camera_headings: CameraHeadings | None = None


class Pipeline:
    """
    The way of the frames of an active node, in the worker's thread.

    :param node: with parameters, clock and log.
    :param loaded: model, map and outputs.
    :param measurements: what came beside the images.
    :param transforms: from and to tf2.
    :param relocalize: is told each estimate.
    :param health: counts the frames.
    """

    def __init__(self, node: LifecycleNode, loaded: Loaded, measurements: Measurements,
                 transforms: Transforms, relocalize: RelocalizeService, health: Health) -> None:
        """Keep what the frames will need."""
        self._node, self._value = node, parameter_getter(node)
        self._loaded, self._measurements, self._transforms = loaded, measurements, transforms
        self._relocalize, self._health = relocalize, health
        self._lenses = Lenses(node, loaded, measurements)
        self._fusion_window: float = self._value('fusion_window')
        self._first_pose_sent = False
        self._tell_again: dict[str, float] = {}  # when, by what is told, monotonic seconds
        loaded.outputs.first_fix = None

    def process(self, frames: Sequence[CameraFrame]) -> None:
        """Work on frames; the thread must outlive whatever they hold."""
        try:
            for together in taken_together(self._decode(frames), self._fusion_window):
                self._localize(*zip(*together))
        except Exception as error:
            told = f'{frames[0].topic}: {type(error).__name__}: {error}'
            self._health.failed(told)
            self._node.get_logger().error(told, throttle_duration_sec=5.0)

    def _decode(self, frames: Sequence[CameraFrame]
                ) -> list[tuple[CameraFrame, NDArray[np.uint8]]]:
        """Return usable frames with their pictures, RGB ``[H, W, 3]``, oldest first."""
        images = []
        now_ns = self._node.get_clock().now().nanoseconds
        for frame in sorted(frames, key=lambda frame: frame.stamp_ns):
            try:
                frame.check_stamp(now_ns, self._value('future_tolerance'))
                images.append((frame, image_from_message(frame.message, self._least(frame))))
            except ImageError as error:
                self._refuse(frame.topic, f'frame refused: {error}')
        return images

    def _least(self, frame: CameraFrame) -> int:
        """Return how many pixels along the shorter side will do, 0 where all are needed."""
        # Local features and intrinsics are of them all.
        if self._loaded.options.verification != 'none':
            return 0
        return self._lenses.fewest_pixels(frame.camera, self._loaded.encoder.info.fewest_pixels)

    def _localize(self, frames: Sequence[CameraFrame], images: Sequence[NDArray[np.uint8]]
                  ) -> None:
        """Find where frames that were taken together stand, and tell everybody."""
        newest, outputs = frames[-1], self._loaded.outputs
        localizer = self._ready_localizer(frames)
        if localizer is None:
            return
        views = self._encode(frames, images, localizer)
        stamp = newest.message.header.stamp
        odometry = self._measurements.odometry_at(newest.stamp_ns)
        try:
            estimate, forgotten = self._loaded.shared.locate(
                views, newest.stamp_ns, odometry, self._value('false_match_rate'),
                self._value('candidates'))
        except LateFrameError as error:
            for frame in frames:
                self._refuse(frame.topic, f'frame refused: {error}')
            return
        if estimate.accepted:
            outputs.match(estimate, stamp)
            self._correct_odometry(estimate, odometry, newest.stamp_ns)
        latency = self._health.processed(len(frames), newest.received, odometry is not None)
        self._tell(estimate, stamp, latency, forgotten)
        outputs.details(estimate, stamp)
        if outputs.belief_is_awaited:
            believed = self._loaded.shared.believed()
            if believed is not None:
                outputs.belief(believed, self._loaded.places, stamp)
        outputs.picture(images[-1], estimate, self._loaded.place_map, stamp)

    def _correct_odometry(self, estimate: Estimate, odometry: Pose | None, stamp_ns: int) -> None:
        """Tell tf2 by how much odometry is off, where a parameter asks for it."""
        broadcaster = self._transforms.map_to_odom
        if broadcaster is None or estimate.pose is None:
            return
        if odometry is not None:
            broadcaster.correct(estimate.pose, odometry, self._measurements.odom_frame, stamp_ns)
        else:
            self._node.get_logger().warning(
                'a match does not correct the transform to the odometry frame: there is no '
                'odometry for the time of its image', throttle_duration_sec=5.0)

    def _ready_localizer(self, frames: Sequence[CameraFrame]) -> Localizer | None:
        """Return the localizer; with cameras from tf2 it is made when all of them are known."""
        shared, headings = self._loaded.shared, self._transforms.camera_headings
        if shared.localizer is None and headings is not None:
            for frame in frames:
                unknown = headings.learn(frame.camera, frame.message.header.frame_id)
                if unknown:
                    self._refuse(frame.topic, unknown)
            yaws = headings.known(math.radians(self._value('mapping_camera_yaw')))
            if yaws is not None:
                degrees = ', '.join(f'{math.degrees(yaw):.1f}' for yaw in yaws)
                self._node.get_logger().info(f'headings of the cameras: {degrees} degrees')
                shared.localizer = self._loaded.localizer(yaws)
            elif silent := set(headings.unknown) - {frame.camera for frame in frames}:
                names = ', '.join(self._loaded.image_topics[camera] for camera in sorted(silent))
                self._refuse(names, 'nothing is matched before each camera has sent an image, '
                             'whose frame tells its heading by tf2: from here none has come')
        return shared.localizer

    def _refuse(self, topic: str, why: str) -> None:
        """Count a frame that cannot be used; tell why, each reason of each topic now and then."""
        text = f'{topic}: {why}'
        self._health.refused(text)
        kind, now = _NUMBER.sub('', text), time.monotonic()
        if now >= self._tell_again.get(kind, now):
            self._tell_again = {other: again for other, again in self._tell_again.items()
                                if again > now}
            self._tell_again[kind] = now + _TOLD_EACH
            self._node.get_logger().warning(text)

    def _encode(self, frames: Sequence[CameraFrame], images: Sequence[NDArray[np.uint8]],
                localizer: Localizer) -> list[View]:
        encoder, look = self._loaded.encoder, localizer.second_look
        lenses = [self._lenses.of(frame.camera, frame.topic, image)
                  for frame, image in zip(frames, images)]
        seen = [lens(image) for lens, image in zip(lenses, images)]
        # Not the parameter, which may have changed since the localizer was made.
        down = isinstance(localizer, DownwardLocalizer)
        asked = localizer.inner if isinstance(localizer, DownwardLocalizer) else localizer
        turns = [quarter_turned(picture) if down else [picture] for picture in seen]
        pictures = [picture for part in turns for picture in part]
        encodings = encoder.encode_with_tokens(pictures, look is not None)
        if look is not None:
            for frame, lens in zip(frames, lenses):
                # What a camera that looks down sees move to the side is no turn.
                look.see_through(frame.camera, None if down else lens.horizontal_fov)
        taken = [(frame.camera, quarters) for frame, part in zip(frames, turns)
                 for quarters in range(len(part))]
        views = [View(descriptor, camera, tokens=tokens, quarter_turns=quarters)
                 for (descriptor, tokens), (camera, quarters) in zip(encodings, taken)]
        if isinstance(asked, VerifyingLocalizer):
            # They are of the picture as it was taken, not of its turns.
            asked.intrinsics = {} if down else self._intrinsics(frames, images)
            views = [replace(view, features=extract_features(picture))
                     for view, picture in zip(views, pictures if down else images)]
        return views

    def _intrinsics(self, frames: Sequence[CameraFrame], images: Sequence[NDArray[np.uint8]]
                    ) -> dict[int, NDArray[np.float64]]:
        """Return the camera matrix of each frame, but of those that have or know none."""
        known = self._measurements.intrinsics
        found = {frame.camera: known[frame.camera].of_picture(image.shape[1], image.shape[0])
                 for frame, image in zip(frames, images) if frame.camera in known}
        return {camera: matrix for camera, matrix in found.items() if matrix is not None}

    def _tell(self, estimate: Estimate, stamp: Any, latency: float, forgotten: int) -> None:
        """Publish the status, and what waits for a fix."""
        outputs, mode = self._loaded.outputs, self._value('initial_pose')
        if self._relocalize.tell(estimate, forgotten) and mode == 'on_relocalize':
            outputs.initial_pose(estimate, stamp)
        if estimate.accepted:
            state, detail = LOCALIZED, f'at place {estimate.place_id}'
            # A run that begins anew, as simulations do, has a first fix of its own.
            first = outputs.first_fix
            if first is None or nanoseconds(stamp) < nanoseconds(first):
                outputs.first_fix = stamp
                detail = f'first fix: place {estimate.place_id}'
                self._node.get_logger().info(f'{detail}, confidence {estimate.confidence:.3f}')
            # Not before somebody listens: whoever starts later would never hear of it.
            if (mode == 'first_fix' and not self._first_pose_sent
                    and outputs.initial_pose_is_awaited()):
                self._first_pose_sent = True
                self._node.get_logger().info('initialpose: the first fix is sent')
                outputs.initial_pose(estimate, stamp)
            self._health.counts['accepted'] += 1
        else:
            state, detail = UNKNOWN_PLACE if estimate.unknown else SEARCHING, estimate.rejection
        outputs.status(state, detail, (
            ('distance', estimate.distance),
            ('score', '' if math.isnan(estimate.score) else f'{estimate.score:.4f}'),
            ('confidence', f'{estimate.confidence:.4f}'), ('place', estimate.place_id),
            ('latency_ms', f'{latency * 1e3:.1f}')))
