# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: camera messages in, poses in the map out."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
import math
import threading
import time
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]  # its home moved
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo
from tetra_vpr_ros.localization import Estimate, Localizer, make_localizer, View
from tetra_vpr_ros.localization.odometry_buffer import OdometryBuffer
from tetra_vpr_ros.localization.verification import VerifyingLocalizer
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.nodes import parameters
from tetra_vpr_ros.nodes.conversions import image_from_message, nanoseconds, pose_from_message
from tetra_vpr_ros.nodes.frames import CameraYaws, MapToOdom, TransformError
from tetra_vpr_ros.nodes.inputs import Inputs
from tetra_vpr_ros.nodes.latest_frame import LatestFrameWorker
from tetra_vpr_ros.nodes.loading import load, Loaded, localizer_options
from tetra_vpr_ros.nodes.outputs import LOCALIZED, NO_IMAGES, SEARCHING, UNKNOWN_PLACE
from tetra_vpr_ros.nodes.relocalize import RelocalizeService
from tetra_vpr_ros.nodes.signals import interrupt_on_signals
from tetra_vpr_ros.vision import ImageError, ModelError
from tetra_vpr_ros.vision.local_features import extract_features

_JUMP_BACK_NS = 1_000_000_000  # stamps that go back further than this began anew


@dataclass(frozen=True)
class _Frame:
    """A camera message on its way, and when it came (monotonic seconds)."""

    camera: int
    topic: str
    message: Any
    received: float

    @property
    def stamp_ns(self) -> int:
        """Return when the picture was taken."""
        return nanoseconds(self.message.header.stamp)


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
        self._loaded: Loaded | None = None
        self._worker: LatestFrameWorker[_Frame] | None = None
        self._inputs: Inputs | None = None
        self._timer: Any = None
        self._lock = threading.Lock()  # of the localizer: the worker's and the executor's threads
        self._odometry = OdometryBuffer()
        self._odom_frame = ''
        self._map_to_odom: MapToOdom | None = None
        self._camera_yaws: CameraYaws | None = None
        self._intrinsics: dict[int, NDArray[np.float64]] = {}
        self._forgotten = 0  # how often: an estimate from before answers no later question
        self._relocalize = RelocalizeService(
            self, self._forget, lambda: float(self._value('relocalize_timeout')))
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._counts: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=1000)
        self._last_image = time.monotonic()
        self._last_stamp_ns = 0
        self._first_fix = ''
        self._odometry.clear()

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    # Transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load model and map; fail, with the reason in the log, when they cannot be."""
        began = time.monotonic()
        try:
            self._loaded = loaded = load(self)
        except (ModelError, MapError, parameters.ParameterError) as error:
            self.get_logger().error(f'cannot configure: {error}')
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(
            f'{len(loaded.places.table)} places of {loaded.place_map.path} in frame '
            f'{loaded.outputs.frame_id!r}, model {loaded.encoder.info.name}, filter '
            f"{self._value('filter')}, loaded in {time.monotonic() - began:.2f} s")
        if loaded.places.calibration is None:
            self.get_logger().warning(
                f'{loaded.place_map.path} is not calibrated, so no match will be accepted: '
                "finish it with 'build_map --resume', or map places that are more than 5 m apart")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the cameras and begin to publish."""
        assert self._loaded is not None
        cameras = self._value('image_topics')
        try:
            self._use_transforms(len(cameras))
        except TransformError as error:
            self.get_logger().error(f'cannot activate: {error}')
            return TransitionCallbackReturn.FAILURE
        super().on_activate(state)
        self._begin_anew()
        if self._loaded.localizer is not None:
            self._loaded.localizer.reset()
        self._worker = LatestFrameWorker(self._process, len(cameras),
                                         self._value('fusion_window'))
        inputs = Inputs(self, cameras, self._value('image_transport') == 'compressed',
                        self._receive)
        if self._value('odom_topic'):
            inputs.listen_to_odometry(self._value('odom_topic'), self._receive_odometry)
        if self._value('verification') == 'orb':
            inputs.listen_to_intrinsics(cameras, self._receive_intrinsics)
        inputs.listen_to_priors(self._receive_prior)
        self._inputs = inputs
        # Steady: it also ticks while simulated time stands still.
        self._timer = self.create_timer(1.0, self._tick,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))
        outputs = self._loaded.outputs
        outputs.places(self._loaded.places.table.positions, self._value('max_marker_places'))
        outputs.status(SEARCHING, 'waiting for the first match')
        self.get_logger().info(f"listening to {', '.join(inputs.image_topics)}")
        return TransitionCallbackReturn.SUCCESS

    def _use_transforms(self, cameras: int) -> None:
        assert self._loaded is not None
        if self._value('publish_tf') == 'map_to_odom':
            self._map_to_odom = MapToOdom(self, self._loaded.outputs.frame_id)
        if self._value('base_frame'):
            self._camera_yaws = CameraYaws(self, self._value('base_frame'), cameras)

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
        self._relocalize.give_up('the node was deactivated')
        if self._inputs is not None:
            self._inputs.destroy()
            self._inputs = None
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        self._map_to_odom = self._camera_yaws = None

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

    # What comes in

    def _receive(self, camera: int, topic: str, message: Any) -> None:
        self._counts['received'] += 1
        if self._worker is not None:
            self._worker.put(_Frame(camera, topic, message, time.monotonic()), camera)

    def _receive_odometry(self, message: Odometry) -> None:
        pose = pose_from_message(message.pose.pose)
        if pose is None:
            self.get_logger().warning('odometry without a finite pose is ignored',
                                      throttle_duration_sec=5.0)
            return
        self._odom_frame = message.header.frame_id or 'odom'
        self._odometry.add(nanoseconds(message.header.stamp), pose)

    def _receive_intrinsics(self, camera: int, message: CameraInfo) -> None:
        matrix = np.array(message.k, float).reshape(3, 3)
        if matrix[0, 0] > 0 and np.isfinite(matrix).all():
            self._intrinsics[camera] = matrix

    def _receive_prior(self, message: PoseWithCovarianceStamped) -> None:
        """Start the belief from a pose that somebody knows roughly."""
        loaded, frame = self._loaded, message.header.frame_id
        if loaded is None or loaded.outputs.is_own_initial_pose(message.header.stamp):
            return
        pose = pose_from_message(message.pose.pose)
        covariance = np.array(message.pose.covariance, float).reshape(6, 6)
        if frame != loaded.outputs.frame_id or pose is None or not np.isfinite(covariance).all():
            self.get_logger().warning(
                f'a pose to start from is ignored: it must be finite and in frame '
                f'{loaded.outputs.frame_id!r}, not {frame!r}')
            return
        if loaded.localizer is not None:
            with self._lock:
                loaded.localizer.set_prior(pose, covariance)
            x, y, _ = pose.position
            self.get_logger().info(f'the belief starts about x {x:.2f} m, y {y:.2f} m')
        else:
            self.get_logger().warning('a pose to start from is ignored: the headings of the '
                                      'cameras are not known yet')

    def _forget(self) -> tuple[int, str]:
        """Forget the belief; return how often that was done, and why it cannot be."""
        loaded = self._loaded
        if self._worker is None or loaded is None:
            return self._forgotten, 'the node is not active'
        with self._lock:
            if loaded.localizer is not None:
                loaded.localizer.reset()
            self._forgotten += 1
        loaded.outputs.status(SEARCHING, 'the belief is forgotten')
        return self._forgotten, ''

    # Frames

    def _process(self, frames: Sequence[_Frame]) -> None:
        """Work on frames, in the worker's thread, which must outlive whatever they hold."""
        try:
            images = []
            for frame in sorted(frames, key=lambda frame: frame.stamp_ns):
                try:
                    self._check_stamp(frame.message.header.stamp)
                    images.append((frame, image_from_message(frame.message)))
                except ImageError as error:
                    self._counts['refused'] += 1
                    self.get_logger().warning(f'{frame.topic}: frame refused: {error}',
                                              throttle_duration_sec=5.0)
            window = self._value('fusion_window') * 1e9
            while images:  # those that were taken together are judged together
                together = [pair for pair in images
                            if pair[0].stamp_ns - images[0][0].stamp_ns <= window]
                images = images[len(together):]
                self._localize(*zip(*together))
        except Exception as error:
            self._counts['failed'] += 1
            self.get_logger().error(f'{frames[0].topic}: {type(error).__name__}: {error}',
                                    throttle_duration_sec=5.0)

    def _check_stamp(self, stamp: Any) -> None:
        stamp_ns = nanoseconds(stamp)
        if stamp_ns <= 0:
            raise ImageError(f'its stamp is {stamp_ns} ns: the driver must set header.stamp')
        now_ns = self.get_clock().now().nanoseconds
        if now_ns == 0:
            return  # simulated time that has not begun
        ahead = (stamp_ns - now_ns) / 1e9
        if ahead > self._value('future_tolerance'):
            raise ImageError(f'its stamp is {ahead:.3f} s in the future: are the clocks in step, '
                             'or is use_sim_time set differently?')

    def _localize(self, frames: Sequence[_Frame], images: Sequence[NDArray[np.uint8]]) -> None:
        assert self._loaded is not None
        loaded, outputs, newest = self._loaded, self._loaded.outputs, frames[-1]
        localizer = self._ready_localizer(frames)
        if localizer is None:
            return
        descriptors = loaded.encoder.encode_batch(images)
        views = [View(descriptor, frame.camera) for descriptor, frame in zip(descriptors, frames)]
        if isinstance(localizer, VerifyingLocalizer):
            localizer.intrinsics = dict(self._intrinsics)
            views = [replace(view, features=extract_features(image))
                     for view, image in zip(views, images)]
        stamp, odometry = newest.message.header.stamp, self._odometry.at(newest.stamp_ns)
        with self._lock:
            forgotten = self._forgotten
            self._watch_time(localizer, newest.stamp_ns)
            localizer.false_match_rate = self._value('false_match_rate')
            localizer.candidates = self._value('candidates')
            estimate = localizer.locate(views, newest.stamp_ns, odometry)
        if estimate.accepted:
            outputs.match(estimate, stamp)
            if self._map_to_odom is not None and odometry is not None and estimate.pose:
                self._map_to_odom.send(estimate.pose, odometry, self._odom_frame, stamp)
        self._last_image = time.monotonic()
        latency = self._last_image - newest.received
        self._latencies.append(latency)
        self._counts['processed'] += len(frames)
        self._tell(estimate, stamp, latency, forgotten)
        outputs.details(estimate, stamp)
        outputs.picture(images[-1], estimate, loaded.place_map, stamp)

    def _ready_localizer(self, frames: Sequence[_Frame]) -> Localizer | None:
        """Return the localizer; with cameras from tf2 it is made when all of them are known."""
        assert self._loaded is not None
        if self._loaded.localizer is None and self._camera_yaws is not None:
            for frame in frames:
                unknown = self._camera_yaws.learn(frame.camera, frame.message.header.frame_id)
                if unknown:
                    self.get_logger().warning(f'{frame.topic}: {unknown}',
                                              throttle_duration_sec=5.0)
            yaws = self._camera_yaws.known(math.radians(self._value('mapping_camera_yaw')))
            if yaws is not None:
                degrees = ', '.join(f'{math.degrees(yaw):.1f}' for yaw in yaws)
                self.get_logger().info(f'headings of the cameras: {degrees} degrees')
                self._loaded.localizer = make_localizer(
                    self._loaded.place_map, localizer_options(self, yaws))
        return self._loaded.localizer

    def _watch_time(self, localizer: Localizer, stamp_ns: int) -> None:
        """Forget the belief when time begins anew: a simulation or a bag was restarted."""
        back_ns = self._last_stamp_ns - stamp_ns
        if back_ns > _JUMP_BACK_NS:
            self.get_logger().warning(f'time jumped back by {back_ns * 1e-9:.1f} s: the belief '
                                      'is forgotten')
            localizer.reset()
        self._last_stamp_ns = stamp_ns if back_ns > _JUMP_BACK_NS else max(
            self._last_stamp_ns, stamp_ns)

    def _tell(self, estimate: Estimate, stamp: Any, latency: float, forgotten: int) -> None:
        """Publish the status, and what waits for a fix."""
        assert self._loaded is not None
        outputs, mode = self._loaded.outputs, self._value('initial_pose')
        if self._relocalize.tell(estimate, forgotten) and mode == 'on_relocalize':
            outputs.initial_pose(estimate, stamp)
        if estimate.accepted:
            state, detail = LOCALIZED, f'at place {estimate.place_id}'
            if not self._first_fix:
                self._first_fix = f'{stamp.sec}.{stamp.nanosec:09d}'
                detail = f'first fix: place {estimate.place_id}'
                self.get_logger().info(f'{detail}, confidence {estimate.confidence:.3f}')
                if mode == 'first_fix':
                    outputs.initial_pose(estimate, stamp)
            self._counts['accepted'] += 1
        else:
            state, detail = UNKNOWN_PLACE if estimate.unknown else SEARCHING, estimate.rejection
        outputs.status(state, detail, (
            ('distance', estimate.distance), ('confidence', f'{estimate.confidence:.4f}'),
            ('place', estimate.place_id), ('latency_ms', f'{latency * 1e3:.1f}'),
            ('first_fix', self._first_fix)))

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
            ('latency p99 ms', f'{np.percentile(latencies, 99):.1f}'),
            ('places', len(self._loaded.places.table)),
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
