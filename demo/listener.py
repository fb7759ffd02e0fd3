# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a navigation stack would hear: collects the localizer's messages."""

from __future__ import annotations

from collections.abc import Callable
import subprocess
import time
from types import TracebackType
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
from lifecycle_msgs.srv import ChangeState
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from tetra_vpr_ros.nodes.localizer.conversions import nanoseconds

_PATIENCE = 120.0  # seconds that a service may take on a busy machine


def stamp_ns(message: Any) -> int:
    """Return the header's stamp in nanoseconds."""
    return nanoseconds(message.header.stamp)


class Listener:
    """
    A node that drives the lifecycle of ``vpr_localize`` and listens to it.

    :param localizer: its process, whose end is the demo's.
    :ivar matches: accepted poses by image stamp.
    :ivar best: pose of the best candidate by image stamp.
    :ivar latencies: milliseconds from image received to match published.
    :ivar answers: how many frames were worked on.
    """

    def __init__(self, localizer: subprocess.Popen[bytes]) -> None:
        """Create the node."""
        rclpy.init()
        self._localizer = localizer
        self.node: Node = rclpy.create_node('demo_listener')
        self.matches: dict[int, PoseWithCovarianceStamped] = {}
        self.best: dict[int, Any] = {}
        self.latencies: list[float] = []
        self.answers = 0
        qos = QoSProfile(depth=100)
        self.node.create_subscription(
            PoseWithCovarianceStamped, '/vpr/match', self._match, qos)
        self.node.create_subscription(PoseArray, '/vpr/candidates', self._candidates, qos)
        self.node.create_subscription(DiagnosticStatus, '/vpr/status', self._status, qos)
        self._change: Any = self.node.create_client(ChangeState, '/vpr_localize/change_state')

    def _match(self, message: PoseWithCovarianceStamped) -> None:
        self.matches[stamp_ns(message)] = message

    def _candidates(self, message: PoseArray) -> None:
        self.answers += 1
        if message.poses:
            self.best[stamp_ns(message)] = message.poses[0]

    def _status(self, message: DiagnosticStatus) -> None:
        values = {item.key: item.value for item in message.values}
        if 'latency_ms' in values:
            self.latencies.append(float(values['latency_ms']))

    def change_state(self, transition: int, name: str) -> None:
        """Take the localizer through a lifecycle transition, or end the demo with its name."""
        if not self._wait(lambda: self._change.wait_for_service(timeout_sec=1.0)):
            raise SystemExit('the localizer does not come up')
        request = ChangeState.Request()
        request.transition.id = transition
        future = self._change.call_async(request)

        def answered() -> bool:
            rclpy.spin_until_future_complete(self.node, future, timeout_sec=1.0)
            return bool(future.done())

        self._wait(answered)
        result = future.result()
        if result is None or not result.success:
            raise SystemExit(f'the localizer could not {name}: see its log above')

    def _wait(self, done: Callable[[], bool]) -> bool:
        """Ask again while the localizer lives; return whether it came true."""
        deadline = time.monotonic() + _PATIENCE
        while not (true := done()) and time.monotonic() < deadline:
            self._look_after()
        return true

    def _look_after(self) -> None:
        """End the demo where the localizer has ended."""
        if self._localizer.poll() is not None:
            raise SystemExit(f'the localizer ended with status {self._localizer.returncode}: see '
                             'its message above')

    def spin(self, seconds: float) -> None:
        """Listen for a while."""
        self._look_after()
        rclpy.spin_once(self.node, timeout_sec=seconds)

    def __enter__(self) -> Listener:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Destroy the node."""
        self.node.destroy_node()
        rclpy.try_shutdown()
