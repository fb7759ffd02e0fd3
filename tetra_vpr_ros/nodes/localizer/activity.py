# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything that exists only while the node is active; nothing of it stays behind."""

from __future__ import annotations

from contextlib import ExitStack
import time
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]  # its home moved
from rclpy.lifecycle import LifecycleNode
from tetra_vpr_ros.nodes.localizer.bond import ManagerBond
from tetra_vpr_ros.nodes.localizer.frame.camera_frame import CameraFrame
from tetra_vpr_ros.nodes.localizer.frame.latest_frame import LatestFrameWorker
from tetra_vpr_ros.nodes.localizer.frame.lenses import camera_info_is_wanted
from tetra_vpr_ros.nodes.localizer.frame.pipeline import Pipeline, Transforms
from tetra_vpr_ros.nodes.localizer.inputs.camera_headings import CameraHeadings
from tetra_vpr_ros.nodes.localizer.inputs.measurements import Measurements
from tetra_vpr_ros.nodes.localizer.inputs.silence import told_of
from tetra_vpr_ros.nodes.localizer.inputs.subscriptions import Inputs
from tetra_vpr_ros.nodes.localizer.loading import Loaded, parameter_getter
from tetra_vpr_ros.nodes.localizer.outputs.health import Health
from tetra_vpr_ros.nodes.localizer.outputs.map_to_odom import MapToOdom
from tetra_vpr_ros.nodes.localizer.outputs.publishers import NO_IMAGES
from tetra_vpr_ros.nodes.localizer.prior import take_prior
from tetra_vpr_ros.nodes.localizer.relocalize import RelocalizeService

_TOLD_EACH = 10.0           # seconds, of what stays wrong
_NO_ODOMETRY_TIMEOUT = 2.0  # seconds


class Activity:
    """
    The inputs, the worker and the timers of an active node.

    When making it fails, what was made by then is gone again.

    :param node: with the parameters.
    :param loaded: model, map and outputs.
    :param relocalize: is told each estimate.
    """

    def __init__(self, node: LifecycleNode, loaded: Loaded, relocalize: RelocalizeService
                 ) -> None:
        """Subscribe to the cameras and begin to work."""
        self._node, self._loaded = node, loaded
        self._value = parameter_getter(node)
        self._health, self._measurements = Health(), Measurements(node)
        with ExitStack() as made:
            self._transforms = self._speak_with_tf2(made)
            pipeline = Pipeline(node, loaded, self._measurements, self._transforms, relocalize,
                                self._health)
            self._worker: LatestFrameWorker[CameraFrame] = LatestFrameWorker(
                pipeline.process, len(self._value('image_topics')), self._value('fusion_window'))
            made.callback(self._worker.close)
            self._inputs = Inputs(node)
            made.callback(self._inputs.destroy)
            self._listen()
            # Steady: it also ticks while simulated time stands still.
            timer = node.create_timer(1.0, self._tick,
                                      clock=Clock(clock_type=ClockType.STEADY_TIME))
            made.callback(node.destroy_timer, timer)
            if self._value('bond'):
                made.callback(ManagerBond(node).destroy)
            self._made = made.pop_all()

    def _speak_with_tf2(self, made: ExitStack) -> Transforms:
        """Begin to speak with tf2, where parameters ask for it."""
        headings = broadcaster = None
        if self._value('publish_tf') == 'map_to_odom':
            broadcaster = MapToOdom(self._node, self._loaded.outputs.frame_id,
                                    lambda: float(self._value('transform_tolerance')),
                                    lambda: float(self._value('future_tolerance')))
            made.callback(broadcaster.destroy)
        if self._loaded.base_frame:
            headings = CameraHeadings(self._node, self._loaded.base_frame,
                                      len(self._value('image_topics')),
                                      self._loaded.options.camera_mount == 'down')
            made.callback(headings.destroy)
        return Transforms(broadcaster, headings)

    def _listen(self) -> None:
        inputs = self._inputs
        inputs.listen_to_images(self._value('image_topics'), self._value('image_transport'),
                                self._receive)
        if self._value('odom_topic'):
            inputs.listen_to_odometry(self._value('odom_topic'), self._measurements.add_odometry)
        if camera_info_is_wanted(self._node, self._loaded):
            inputs.listen_to_intrinsics(self._measurements.add_camera)
        inputs.listen_to_priors(self._receive_prior)
        inputs.tell_unused_overrides()

    @property
    def image_topics(self) -> list[str]:
        """Return the topics of the cameras, as they are on the graph."""
        return [camera.topic for camera in self._inputs.cameras]

    def close(self) -> None:
        """Finish the frame in work, if any, and take everything from the graph."""
        self._made.close()

    # What the executor's thread does

    def _receive(self, camera: int, topic: str, message: Any) -> None:
        self._health.counts['received'] += 1
        self._worker.put(CameraFrame(camera, topic, message, time.monotonic()), camera)

    def _receive_prior(self, message: PoseWithCovarianceStamped) -> None:
        take_prior(message, self._loaded, self._node)

    def _tick(self) -> None:
        self._tell_silence()
        self._tell_odometry()
        headings = self._transforms.camera_headings
        if headings is not None and self._loaded.shared.localizer is not None:
            headings.destroy()  # they are known, and /tf wakes a node hundreds of times a second
        changed = self._loaded.map_watch.changed()
        if changed:
            self._node.get_logger().warning(f'{self._loaded.place_map.path} {changed}')
        self._loaded.outputs.diagnostics((
            *self._health.values(),
            ('odometry that says it is lost', self._measurements.odometry.lost),
            ('frames dropped for a newer one', self._worker.dropped),
            ('odometry received', self._inputs.odometry.count if self._inputs.odometry else 0),
            ('places', len(self._loaded.places.table)),
            ('map', self._loaded.place_map.path),
            ('frame', self._loaded.outputs.frame_id),
            ('model', self._loaded.encoder.info.name)))

    def _tell_silence(self) -> None:
        """Say in status and log that no image comes, or none that can be used, and why."""
        timeout, outputs = self._value('no_image_timeout'), self._loaded.outputs
        silent = [camera for camera in self._inputs.cameras if camera.silent() > timeout]
        unusable = self._health.idle() > timeout
        if not silent and not unusable:
            return
        reason = (f'no image: {told_of(silent)}' if silent
                  else f'no usable image for {self._health.idle():.1f} s')
        if self._health.unusable:  # also before the silence: it says what else to mend
            reason += f'; the last one {self._health.unusable}'
        if unusable:
            outputs.status(NO_IMAGES, reason)
        if silent:  # refused frames are told of as they come
            self._node.get_logger().warning(reason, throttle_duration_sec=_TOLD_EACH)

    def _tell_odometry(self) -> None:
        """Say that odometry stopped, or does not come where it is needed."""
        odometry = self._inputs.odometry
        if odometry is None:
            if self._value('publish_tf') != 'none':
                self._node.get_logger().warning(
                    "publish_tf needs odometry: the parameter 'odom_topic' is empty",
                    throttle_duration_sec=_TOLD_EACH)
            return
        needed = self._value('publish_tf') != 'none'
        if odometry.silent() > _NO_ODOMETRY_TIMEOUT and (
                odometry.count or needed or odometry.mistaken()):
            self._node.get_logger().warning(
                f'no odometry for {odometry.silent():.1f} s: {odometry.why()}',
                throttle_duration_sec=_TOLD_EACH)
