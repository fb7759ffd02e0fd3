# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: camera messages in, poses in the map out."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
import functools
from pathlib import Path
import time
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]  # its home moved
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image
from tetra_vpr_ros.localization import SingleFrameLocalizer
from tetra_vpr_ros.mapping.place_map import MapError, PlaceMap
from tetra_vpr_ros.nodes import parameters
from tetra_vpr_ros.nodes.conversions import image_from_message
from tetra_vpr_ros.nodes.latest_frame import LatestFrameWorker
from tetra_vpr_ros.nodes.outputs import LOCALIZED, NO_IMAGES, Outputs, SEARCHING, UNKNOWN_PLACE
from tetra_vpr_ros.nodes.signals import interrupt_on_signals
from tetra_vpr_ros.vision import ImageError, ModelError, PlaceEncoder


@dataclass(frozen=True)
class _Frame:
    """A camera message on its way, and when it came (monotonic seconds)."""

    topic: str
    message: Any
    received: float


@dataclass(frozen=True)
class _Loaded:
    """What configure loads."""

    encoder: PlaceEncoder
    place_map: PlaceMap
    localizer: SingleFrameLocalizer
    outputs: Outputs


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
        self._loaded: _Loaded | None = None
        self._worker: LatestFrameWorker[_Frame] | None = None
        self._inputs: list[Any] = []
        self._timer: Any = None
        self._counts: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=1000)
        self._last_image = 0.0

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    # Transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load model and map; fail, with the reason in the log, when they cannot be."""
        began = time.monotonic()
        try:
            encoder, place_map = self._open_files()
        except (ModelError, MapError) as error:
            self.get_logger().error(f'cannot configure: {error}')
            return TransitionCallbackReturn.FAILURE
        localizer = SingleFrameLocalizer(place_map)
        outputs = Outputs(self, self._value('frame_id') or place_map.frame_id)
        self._loaded = _Loaded(encoder, place_map, localizer, outputs)
        self.get_logger().info(
            f'{len(localizer.table)} places of {place_map.path} in frame '
            f'{outputs.frame_id!r}, model {encoder.info.name}, loaded in '
            f'{time.monotonic() - began:.2f} s')
        if localizer.threshold is None:
            self.get_logger().warning(
                f'{place_map.path} is not calibrated, so no match will be accepted: finish it '
                "with 'build_map --resume', or map places that are more than 5 m apart")
        return TransitionCallbackReturn.SUCCESS

    def _open_files(self) -> tuple[PlaceEncoder, PlaceMap]:
        if not self._value('map'):
            raise MapError("the parameter 'map' is empty: set it to the path of a .vpr file, "
                           'made with build_map')
        faiss.omp_set_num_threads(1)  # a search is shorter than waking threads for it
        model = self._value('model')
        encoder = PlaceEncoder(Path(model).expanduser() if model else None,
                               threads=self._value('threads'),
                               spinning=self._value('spinning'),
                               optimization=self._value('graph_optimization'))
        place_map = PlaceMap.open_file(Path(self._value('map')).expanduser())
        try:
            place_map.require_model(encoder.info)
            if not len(place_map):
                raise MapError(f'{place_map.path} holds no place: build it again')
        except MapError:
            place_map.close()
            raise
        return encoder, place_map

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the cameras and begin to publish."""
        assert self._loaded is not None
        super().on_activate(state)
        self._counts.clear()
        self._latencies.clear()
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
        outputs = self._loaded.outputs
        outputs.places(self._loaded.localizer.table.positions, self._value('max_marker_places'))
        outputs.status(SEARCHING, 'waiting for the first match')
        topics = ', '.join(subscription.topic_name for subscription in self._inputs)
        self.get_logger().info(f'listening to {topics}')
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening; model and map stay loaded."""
        assert self._loaded is not None
        self._stop()
        self._loaded.outputs.status(NO_IMAGES, 'the node is not active')
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
        if self._loaded is not None:
            self._loaded.outputs.destroy()
            self._loaded.place_map.close()
            self._loaded = None

    def close(self) -> None:
        """Finish the frame in work, if any, and take the node from the graph."""
        self._release()
        self.destroy_node()

    # Frames

    def _receive(self, topic: str, message: Any) -> None:
        self._counts['received'] += 1
        if self._worker is not None:
            self._worker.put(_Frame(topic, message, time.monotonic()))

    def _process(self, frame: _Frame) -> None:
        """Work on one frame, in the worker's thread, which must outlive whatever it holds."""
        try:
            self._check_stamp(frame.message.header.stamp)
            self._localize(frame, image_from_message(frame.message))
        except ImageError as error:
            self._counts['refused'] += 1
            self.get_logger().warning(f'{frame.topic}: frame refused: {error}',
                                      throttle_duration_sec=5.0)
        except Exception as error:
            self._counts['failed'] += 1
            self.get_logger().error(f'{frame.topic}: {type(error).__name__}: {error}',
                                    throttle_duration_sec=5.0)

    def _check_stamp(self, stamp: Any) -> None:
        stamp_ns = stamp.sec * 10**9 + stamp.nanosec
        if stamp_ns <= 0:
            raise ImageError(f'its stamp is {stamp_ns} ns: the driver must set header.stamp')
        now_ns = self.get_clock().now().nanoseconds
        if now_ns == 0:
            return  # simulated time that has not begun
        ahead = (stamp_ns - now_ns) / 1e9
        if ahead > self._value('future_tolerance'):
            raise ImageError(f'its stamp is {ahead:.3f} s in the future: are the clocks in step, '
                             'or is use_sim_time set differently?')

    def _localize(self, frame: _Frame, image: NDArray[np.uint8]) -> None:
        assert self._loaded is not None
        localizer, outputs = self._loaded.localizer, self._loaded.outputs
        localizer.false_match_rate = self._value('false_match_rate')
        localizer.k = self._value('candidates')
        localizer.margin = self._value('covariance_margin')
        estimate = localizer.locate(self._loaded.encoder.encode(image))
        stamp = frame.message.header.stamp
        if estimate.accepted:
            outputs.match(estimate, stamp)
        self._last_image = time.monotonic()
        latency = self._last_image - frame.received
        self._latencies.append(latency)
        self._counts['processed'] += 1
        if estimate.accepted:
            if not self._counts['accepted']:
                self.get_logger().info(f'first match: place {estimate.place_id}, '
                                       f'confidence {estimate.confidence:.3f}')
            self._counts['accepted'] += 1
            state, detail = LOCALIZED, f'at place {estimate.place_id}'
        else:
            state = UNKNOWN_PLACE if self._counts['accepted'] else SEARCHING
            detail = estimate.rejection
        outputs.status(state, detail, (
            ('distance', estimate.distance), ('confidence', f'{estimate.confidence:.4f}'),
            ('place', estimate.place_id), ('latency_ms', f'{latency * 1e3:.1f}')))
        outputs.details(estimate, stamp)
        outputs.picture(image, estimate, self._loaded.place_map, stamp)

    # Health

    def _tick(self) -> None:
        assert self._loaded is not None
        assert self._worker is not None
        outputs, counts = self._loaded.outputs, self._counts
        silent = time.monotonic() - self._last_image
        if silent > self._value('no_image_timeout') and outputs.state != NO_IMAGES:
            outputs.status(NO_IMAGES, f'no usable image for {silent:.1f} s')
        latencies = np.array(list(self._latencies) or [np.nan]) * 1e3
        outputs.diagnostics((
            ('frames received', counts['received']),
            ('frames processed', counts['processed']),
            ('frames dropped for a newer one', self._worker.dropped),
            ('frames refused', counts['refused']),
            ('frames failed', counts['failed']),
            ('matches accepted', counts['accepted']),
            ('latency p50 ms', f'{np.percentile(latencies, 50):.1f}'),
            ('latency p95 ms', f'{np.percentile(latencies, 95):.1f}'),
            ('places', len(self._loaded.localizer.table)),
            ('map', self._loaded.place_map.path),
            ('model', self._loaded.encoder.info.name)))


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop."""
    # A signal that arrives just before rclpy begins to wait may not wake it: its own handlers
    # left a terminated node waiting for ever. Python's are looked at after each wait below.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    interrupt_on_signals()
    node = LocalizeNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if (node.get_parameter('autostart').value
                and node.trigger_configure() == TransitionCallbackReturn.SUCCESS):
            node.trigger_activate()
        while rclpy.ok():
            executor.spin_once(timeout_sec=0.5)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.close()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
