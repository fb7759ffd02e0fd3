# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: camera messages in, poses in the map out."""

from __future__ import annotations

from collections.abc import Sequence
import gc
import time
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from tetra_vpr_ros.nodes.localizer.activity import Activity
from tetra_vpr_ros.nodes.localizer.loading import fit_to_cameras, load, Loaded, parameter_getter
from tetra_vpr_ros.nodes.localizer.outputs.publishers import NO_IMAGES, SEARCHING
from tetra_vpr_ros.nodes.localizer.parameters import ParameterError
from tetra_vpr_ros.nodes.localizer.parameters import PARAMETERS
from tetra_vpr_ros.nodes.localizer.parameters.declaring import declare
from tetra_vpr_ros.nodes.localizer.relocalize import RelocalizeService
from tetra_vpr_ros.nodes.localizer.transitions import reason, told

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
_ERROR = TransitionCallbackReturn.ERROR
_WHEN = {spec.name: spec.when for spec in PARAMETERS}


class LocalizeNode(LifecycleNode):
    """
    Publishes where the camera is in a map of places.

    Interface and parameters: see docs/reference.md. Frames are worked on in a thread
    of their own, newest first; the executor is never blocked by an inference.

    :raises ParameterError: values of the start are not allowed; the log says so, too.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Declare the parameters; everything else waits for configure."""
        super().__init__('vpr_localize', **kwargs)
        self._value = parameter_getter(self)
        self._loaded: Loaded | None = None
        self._activity: Activity | None = None
        # The last to be added is asked first: only of values that are allowed something is told.
        self.add_on_set_parameters_callback(self._tell_when)
        try:
            declare(self)
        except ParameterError as error:
            self.get_logger().error(f'cannot start: {error}')
            self.destroy_node()
            raise
        self._relocalize = RelocalizeService(
            self, self._forget, lambda: float(self._value('relocalize_timeout')))

    # Transitions: what they raise is told once and undone, and they can be tried again

    def _stop(self) -> None:
        """Leave nothing of what was active."""
        self._relocalize.give_up('the node was deactivated')
        if self._activity is not None:
            activity, self._activity = self._activity, None
            activity.close()

    def _let_go(self) -> None:
        """Leave nothing of what was loaded, either."""
        active = self._activity is not None
        self._stop()
        if self._loaded is not None:
            loaded, self._loaded = self._loaded, None
            if active:  # else who listens to the status believes the last match for ever
                loaded.outputs.end('the node has ended')
            loaded.outputs.destroy()
            loaded.place_map.close()
            del loaded
            # Callbacks and what they belong to hold each other; model and map hang on them, and
            # a few of those would come together before Python looks for such circles itself.
            gc.collect()

    def _silence(self) -> None:
        """Stop, and publish no more."""
        self._stop()
        super().on_deactivate(LifecycleState('active', 3))

    @told('configure', _FAILURE, _let_go)
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load model and map; fail, with the reason in the log, when they cannot be."""
        began = time.monotonic()
        self._loaded = loaded = load(self)
        self.get_logger().info(
            f'{len(loaded.places.table)} places of {loaded.place_map.path} in frame '
            f'{loaded.outputs.frame_id!r}, model {loaded.encoder.info.name}, filter '
            f"{self._value('filter')}, loaded in {time.monotonic() - began:.2f} s")
        looks = self._value('second_look') and loaded.place_map.has_second_look()
        if loaded.places.calibration is None and not looks:
            self.get_logger().warning(
                f'{loaded.place_map.path} is not calibrated, so no match will be accepted: '
                "finish it with 'build_map --resume', run 'calibrate_map --map', or give it patch "
                "tokens with 'vpr_map reencode'")
        if self._value('second_look') and loaded.lacks_tokens:
            self.get_logger().info(
                f'{loaded.place_map.path} has no patch tokens, which the model makes: '
                f"'vpr_map reencode {loaded.place_map.path}' adds them, and with them a second "
                'look at the candidates that orders them better')
        return _SUCCESS

    @told('activate', _FAILURE, _silence)
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the cameras and begin to publish."""
        assert self._loaded is not None
        loaded = self._loaded
        fit_to_cameras(self, loaded)
        loaded.shared.begin_anew()
        super().on_activate(state)
        self._activity = Activity(self, loaded, self._relocalize)
        loaded.outputs.places(loaded.places, self._value('max_marker_places'))
        loaded.outputs.status(SEARCHING, 'waiting for the first match')
        self.get_logger().info(f"listening to {', '.join(self._activity.image_topics)}")
        return _SUCCESS

    @told('deactivate', _ERROR, _silence)
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening; model and map stay loaded."""
        assert self._loaded is not None
        self._stop()
        self._loaded.outputs.status(NO_IMAGES, 'the node is not active')
        super().on_deactivate(state)
        self.get_logger().info('deactivated: nothing is listened to')
        return _SUCCESS

    @told('clean up', _ERROR, _let_go)
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of model and map."""
        self._let_go()
        self.get_logger().info('cleaned up: model and map are let go')
        return _SUCCESS

    @told('shut down', _ERROR, _let_go)
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and let go of everything, from any state."""
        self._let_go()
        self.get_logger().info('shut down')
        return _SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Come back to unconfigured after an unexpected error."""
        try:
            self._let_go()
        except Exception as error:
            self.get_logger().error(f'cannot let go of everything: {reason(error)}')
        return _SUCCESS

    def close(self) -> None:
        """Finish the frame in work, if any, and take the node from the graph."""
        self._let_go()
        self.destroy_node()

    # Services

    def _forget(self) -> tuple[int, str]:
        """Forget the belief; return how often that was done, and why it cannot be."""
        if self._activity is None or self._loaded is None:
            return 0, 'the node is not active'
        forgotten = self._loaded.shared.forget()
        self._loaded.outputs.status(SEARCHING, 'the belief is forgotten')
        return forgotten, ''

    def _tell_when(self, parameters: Sequence[Parameter[Any]]) -> SetParametersResult:
        """Say which of the values that are being set do not take effect at once."""
        for parameter in parameters:
            when = _WHEN.get(parameter.name)
            waits = self._loaded is not None if when == 'configure' else (
                self._activity is not None and when == 'activate')
            if waits and parameter.value != self._value(parameter.name):
                way = ('deactivate, cleanup, configure' if when == 'configure'
                       and self._activity is not None else
                       'cleanup, configure' if when == 'configure' else 'deactivate, activate')
                self.get_logger().info(
                    f'{parameter.name} takes effect at the next {when} ({way}); until then the '
                    'node goes on as before')
        return SetParametersResult(successful=True)
