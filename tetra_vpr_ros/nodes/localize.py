# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: camera messages in, poses in the map out."""

from __future__ import annotations

import time
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
import rclpy
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]  # its home moved
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from tetra_vpr_ros.command_line import interrupt_on_signals
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.nodes.localizer import parameters
from tetra_vpr_ros.nodes.localizer.camera_frame import CameraFrame
from tetra_vpr_ros.nodes.localizer.health import Health
from tetra_vpr_ros.nodes.localizer.inputs import Inputs
from tetra_vpr_ros.nodes.localizer.latest_frame import LatestFrameWorker
from tetra_vpr_ros.nodes.localizer.lenses import camera_info_is_wanted
from tetra_vpr_ros.nodes.localizer.loading import load, Loaded, parameter_getter
from tetra_vpr_ros.nodes.localizer.measurements import Measurements, take_prior
from tetra_vpr_ros.nodes.localizer.outputs import NO_IMAGES, SEARCHING
from tetra_vpr_ros.nodes.localizer.pipeline import Pipeline, Transforms
from tetra_vpr_ros.nodes.localizer.relocalize import RelocalizeService
from tetra_vpr_ros.nodes.localizer.transforms import CameraYaws, MapToOdom, TransformError
from tetra_vpr_ros.vision import ModelError


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
        self._value = parameter_getter(self)
        self._loaded: Loaded | None = None
        self._worker: LatestFrameWorker[CameraFrame] | None = None
        self._inputs: Inputs | None = None
        self._timer: Any = None
        self._measurements = Measurements(self)
        self._health = Health()
        self._relocalize = RelocalizeService(
            self, self._forget, lambda: float(self._value('relocalize_timeout')))

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
        looks = self._value('second_look') and loaded.place_map.has_second_look()
        if loaded.places.calibration is None and not looks:
            self.get_logger().warning(
                f'{loaded.place_map.path} is not calibrated, so no match will be accepted: '
                "finish it with 'build_map --resume', map places that are more than 5 m apart, or "
                "give it patch tokens with 'vpr_map reencode'")
        if self._value('second_look') and loaded.lacks_tokens:
            self.get_logger().info(
                f'{loaded.place_map.path} has no patch tokens, which the model makes: '
                f"'vpr_map reencode {loaded.place_map.path}' adds them, and with them a second "
                'look at the candidates that orders them better')
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the cameras and begin to publish."""
        assert self._loaded is not None
        loaded, cameras = self._loaded, self._value('image_topics')
        try:
            transforms = self._transforms(loaded, len(cameras))
        except TransformError as error:
            self.get_logger().error(f'cannot activate: {error}')
            return TransitionCallbackReturn.FAILURE
        super().on_activate(state)
        self._health = Health()
        self._measurements.begin_anew()
        loaded.shared.begin_anew()
        pipeline = Pipeline(self, loaded, self._measurements, transforms, self._relocalize,
                            self._health)
        self._worker = LatestFrameWorker(pipeline.process, len(cameras),
                                         self._value('fusion_window'))
        self._inputs = self._subscribe(cameras, camera_info_is_wanted(self, loaded))
        # Steady: it also ticks while simulated time stands still.
        self._timer = self.create_timer(1.0, self._tick,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))
        loaded.outputs.places(loaded.places.table.positions, self._value('max_marker_places'))
        loaded.outputs.status(SEARCHING, 'waiting for the first match')
        self.get_logger().info(f"listening to {', '.join(self._inputs.image_topics)}")
        return TransitionCallbackReturn.SUCCESS

    def _transforms(self, loaded: Loaded, cameras: int) -> Transforms:
        """
        Begin to speak with tf2, where parameters ask for it.

        :raises TransformError: they do, and tf2_ros is not installed.
        """
        base, broadcasts = self._value('base_frame'), self._value('publish_tf') == 'map_to_odom'
        return Transforms(MapToOdom(self, loaded.outputs.frame_id) if broadcasts else None,
                          CameraYaws(self, base, cameras) if base else None)

    def _subscribe(self, cameras: list[str], with_intrinsics: bool) -> Inputs:
        inputs = Inputs(self, cameras, self._value('image_transport') == 'compressed',
                        self._receive)
        if self._value('odom_topic'):
            inputs.listen_to_odometry(self._value('odom_topic'), self._measurements.add_odometry)
        if with_intrinsics:
            inputs.listen_to_intrinsics(cameras, self._measurements.add_intrinsics)
        inputs.listen_to_priors(self._receive_prior)
        return inputs

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

    # What the executor's thread does while the node is active

    def _receive(self, camera: int, topic: str, message: Any) -> None:
        self._health.counts['received'] += 1
        if self._worker is not None:
            self._worker.put(CameraFrame(camera, topic, message, time.monotonic()), camera)

    def _receive_prior(self, message: PoseWithCovarianceStamped) -> None:
        if self._loaded is not None:
            take_prior(message, self._loaded, self)

    def _forget(self) -> tuple[int, str]:
        """Forget the belief; return how often that was done, and why it cannot be."""
        if self._worker is None or self._loaded is None:
            return 0, 'the node is not active'
        forgotten = self._loaded.shared.forget()
        self._loaded.outputs.status(SEARCHING, 'the belief is forgotten')
        return forgotten, ''

    def _tick(self) -> None:
        assert self._loaded is not None
        assert self._worker is not None
        self._health.publish(self._loaded, self._worker.dropped, self._value('no_image_timeout'))


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
