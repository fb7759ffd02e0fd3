# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: camera messages in, poses in the map out."""

from __future__ import annotations

import functools
import time
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

import faiss

from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped

import numpy as np

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, qos_profile_sensor_data, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.time import Time

from sensor_msgs.msg import CompressedImage, Image

from tetra_vpr_ros.localization import Estimate, SingleFrameLocalizer
from tetra_vpr_ros.mapping.place_map import MapError, PlaceMap
from tetra_vpr_ros.nodes import conversions, parameters
from tetra_vpr_ros.nodes.latest_frame import LatestFrameWorker
from tetra_vpr_ros.vision import ImageError, ModelError, PlaceEncoder

from visualization_msgs.msg import MarkerArray

_RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.TRANSIENT_LOCAL)
_BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)

LOCALIZED, SEARCHING = 'localized', 'searching'
UNKNOWN_PLACE, NO_IMAGES = 'unknown place', 'no images'
_LEVELS = {LOCALIZED: 0, SEARCHING: 1, UNKNOWN_PLACE: 1, NO_IMAGES: 3}  # OK, WARN, STALE


@dataclass(frozen=True)
class _Frame:
    """A camera message on its way, and when it came (monotonic seconds)."""

    topic: str
    message: Any
    received: float


class LocalizeNode(LifecycleNode):
    """
    Publishes where the camera is in a map of places.

    Interface and parameters: see README.md. Frames are worked on in a thread
    of their own, newest first; the executor is never blocked by an inference.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Declare the parameters; everything else waits for configure."""
        super().__init__('vpr_localize', **kwargs)
        parameters.declare(self)
        self.add_on_set_parameters_callback(parameters.validate)
        self._reset()

    def _reset(self) -> None:
        self._encoder: PlaceEncoder | None = None
        self._localizer: SingleFrameLocalizer | None = None
        self._map: PlaceMap | None = None
        self._frame_id = 'map'
        self._outputs: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._timer: Any = None
        self._worker: LatestFrameWorker[_Frame] | None = None
        self._counts: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=1000)
        self._state_name = ''
        self._ever_localized = False
        self._last_image = 0.0

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    # Transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load model and map; fail, with the reason in the log, when they cannot be."""
        try:
            if not self._value('map'):
                raise MapError("the parameter 'map' is empty: set it to the path of a .vpr file, "
                               'made with build_map')
            began = time.monotonic()
            faiss.omp_set_num_threads(1)  # a search is shorter than waking threads for it
            threads = int(self._value('threads'))
            self._encoder = PlaceEncoder(self._value('model') or None, threads=threads,
                                         spinning=bool(self._value('spinning')))
            self._map = PlaceMap.open(Path(self._value('map')).expanduser())
            self._map.require_model(self._encoder.info)
            self._localizer = SingleFrameLocalizer(self._map)
            if not len(self._localizer.table):
                raise MapError(f'{self._map.path} holds no place: build it again')
        except (ModelError, MapError) as error:
            self.get_logger().error(f'cannot configure: {error}')
            self._release()
            return TransitionCallbackReturn.FAILURE
        self._frame_id = self._value('frame_id') or self._map.frame_id
        self._create_outputs()
        threshold = self._localizer.threshold
        self.get_logger().info(
            f'{len(self._localizer.table)} places of {self._map.path} in frame '
            f'{self._frame_id!r}, model {self._encoder.info.name}, loaded in '
            f'{time.monotonic() - began:.2f} s')
        if threshold is None:
            self.get_logger().warning(
                f'{self._map.path} is not calibrated, so no match will be accepted: '
                'it needs places that are more than 5 m apart')
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the cameras and begin to publish."""
        assert self._localizer is not None
        super().on_activate(state)
        self._counts.clear()
        self._latencies.clear()
        self._ever_localized = False
        self._last_image = time.monotonic()
        self._worker = LatestFrameWorker(self._process)
        compressed = self._value('image_transport') == 'compressed'
        for name in self._value('image_topics'):
            topic = f'{name}/compressed' if compressed else name
            self._inputs.append(self.create_subscription(
                CompressedImage if compressed else Image, topic,
                functools.partial(self._receive, topic), qos_profile_sensor_data,
                qos_overriding_options=QoSOverridingOptions.with_default_policies()))
        # Steady: it also ticks while simulated time stands still.
        self._timer = self.create_timer(1.0, self._tick,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._outputs['places'].publish(conversions.places_marker(
            self._localizer.table.positions, self._frame_id, self._value('max_marker_places')))
        self._publish_status(SEARCHING, 'waiting for the first match', ())
        topics = ', '.join(subscription.topic_name for subscription in self._inputs)
        self.get_logger().info(f'listening to {topics}')
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening; model and map stay loaded."""
        self._stop()
        self._publish_status(NO_IMAGES, 'the node is not active', ())
        super().on_deactivate(state)
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of model and map."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and let go of everything, from any state."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Come back to unconfigured after an unexpected error."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def _create_outputs(self) -> None:
        make = self.create_lifecycle_publisher
        self._outputs = {
            'match': make(PoseWithCovarianceStamped, 'vpr/match', _RELIABLE),
            'candidates': make(PoseArray, 'vpr/candidates', _RELIABLE),
            'status': make(DiagnosticStatus, 'vpr/status', _LATCHED),
            'picture': make(CompressedImage, 'vpr/match_image/compressed', _BEST_EFFORT),
            # Two publishers: each keeps its own last message for late subscribers.
            'places': make(MarkerArray, 'vpr/markers', _LATCHED),
            'marker': make(MarkerArray, 'vpr/markers', _LATCHED),
            'diagnostics': make(DiagnosticArray, '/diagnostics', _RELIABLE)}

    def _stop(self) -> None:
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _release(self) -> None:
        self._stop()
        for publisher in self._outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        if self._map is not None:
            self._map.close()
        self._reset()

    # Frames

    def _receive(self, topic: str, message: Any) -> None:
        self._counts['received'] += 1
        if self._worker is not None:
            self._worker.put(_Frame(topic, message, time.monotonic()))

    def _process(self, frame: _Frame) -> None:
        """Work on one frame, in the worker's thread."""
        try:
            self._check_stamp(frame.message.header.stamp)
            image = conversions.image_from_message(frame.message)
        except ImageError as error:
            self._counts['refused'] += 1
            self.get_logger().warning(f'{frame.topic}: frame refused: {error}',
                                      throttle_duration_sec=5.0)
            return
        try:
            self._localize(frame, image)
        except Exception as error:  # the node must outlive whatever one frame does
            self._counts['failed'] += 1
            self.get_logger().error(f'{frame.topic}: {type(error).__name__}: {error}',
                                    throttle_duration_sec=5.0)

    def _check_stamp(self, stamp: Any) -> None:
        if stamp.sec == 0 and stamp.nanosec == 0:
            raise ImageError('its stamp is zero: the driver must set header.stamp')
        now = self.get_clock().now()
        if now.nanoseconds == 0:
            return  # simulated time that has not begun
        ahead = (Time.from_msg(stamp, clock_type=now.clock_type) - now).nanoseconds / 1e9
        if ahead > self._value('future_tolerance'):
            raise ImageError(f'its stamp is {ahead:.3f} s in the future: are the clocks in step, '
                             'or is use_sim_time set differently?')

    def _localize(self, frame: _Frame, image: np.ndarray) -> None:
        assert self._encoder is not None and self._localizer is not None
        self._localizer.false_match_rate = self._value('false_match_rate')
        self._localizer.k = self._value('candidates')
        self._localizer.margin = self._value('covariance_margin')
        estimate = self._localizer.locate(self._encoder.encode(image))
        stamp = frame.message.header.stamp
        if estimate.accepted:
            self._outputs['match'].publish(
                conversions.match_message(estimate, self._frame_id, stamp))
        latency = time.monotonic() - frame.received
        self._latencies.append(latency)
        self._last_image = time.monotonic()
        self._counts['processed'] += 1
        self._counts['accepted'] += estimate.accepted
        self._outputs['candidates'].publish(
            conversions.candidates_message(estimate, self._frame_id, stamp))
        self._outputs['marker'].publish(
            conversions.match_marker(estimate, self._frame_id, stamp))
        if estimate.accepted and not self._ever_localized:
            self._ever_localized = True
            self.get_logger().info(f'first match: place {estimate.place_id}, '
                                   f'confidence {estimate.confidence:.3f}')
        self._report(estimate, latency)
        if self._outputs['picture'].get_subscription_count():
            self._publish_picture(image, estimate, stamp)

    def _report(self, estimate: Estimate, latency: float) -> None:
        if estimate.accepted:
            name, text = LOCALIZED, f'at place {estimate.place_id}'
        else:
            name = UNKNOWN_PLACE if self._ever_localized else SEARCHING
            text = estimate.rejection
        self._publish_status(name, text, (
            ('distance', estimate.distance), ('confidence', f'{estimate.confidence:.4f}'),
            ('place', estimate.place_id), ('latency_ms', f'{latency * 1e3:.1f}')))

    def _publish_status(self, name: str, text: str, values: tuple[tuple[str, object], ...]
                        ) -> None:
        self._state_name = name
        self._outputs['status'].publish(conversions.status_message(
            _LEVELS[name], self.get_fully_qualified_name(), name, (('detail', text), *values)))

    def _publish_picture(self, image: np.ndarray, estimate: Estimate, stamp: Any) -> None:
        assert self._map is not None and self._localizer is not None
        verdict = 'accepted' if estimate.accepted else 'rejected'
        text = f'place {estimate.place_id}  {estimate.distance}/{self._localizer.bits} {verdict}'
        reference = self._map.thumbnail(estimate.place_id)
        try:
            self._outputs['picture'].publish(
                conversions.match_picture(image, reference, text, stamp))
        except cv2.error as error:  # a frame of one row cannot be drawn
            self.get_logger().warning(f'no match picture: {error}', throttle_duration_sec=5.0)

    # Health

    def _tick(self) -> None:
        silent = time.monotonic() - self._last_image
        if silent > self._value('no_image_timeout') and self._state_name != NO_IMAGES:
            self._publish_status(NO_IMAGES, f'no usable image for {silent:.1f} s', ())
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        message.status = [self._diagnostics()]
        self._outputs['diagnostics'].publish(message)

    def _diagnostics(self) -> DiagnosticStatus:
        assert self._localizer is not None and self._encoder is not None
        assert self._map is not None and self._worker is not None
        latencies = np.array(list(self._latencies) or [np.nan]) * 1e3
        counts = self._counts
        return conversions.status_message(
            _LEVELS[self._state_name], f'{self.get_name()}: localization', self._state_name, (
                ('frames received', counts['received']),
                ('frames processed', counts['processed']),
                ('frames dropped for a newer one', self._worker.dropped),
                ('frames refused', counts['refused']),
                ('frames failed', counts['failed']),
                ('matches accepted', counts['accepted']),
                ('latency p50 ms', f'{np.percentile(latencies, 50):.1f}'),
                ('latency p95 ms', f'{np.percentile(latencies, 95):.1f}'),
                ('places', len(self._localizer.table)),
                ('map', self._map.path),
                ('model', self._encoder.info.name)))


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop."""
    rclpy.init(args=args)
    node = LocalizeNode()
    try:
        if node.get_parameter('autostart').value:
            if node.trigger_configure() == TransitionCallbackReturn.SUCCESS:
                node.trigger_activate()
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
