# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the localizer says on its topics, told to the live view."""

from __future__ import annotations

import math
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
import numpy as np
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]  # its home moved
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, PointCloud2
from tetra_vpr_ros.nodes.localizer.conversions import pose_from_message
from tetra_vpr_ros.nodes.localizer.outputs.belief import belief_from_cloud
from tetra_vpr_ros.viewing.live.moment import BELIEF_SHOWN, heading, LEAST_BELIEF, Moment
from tetra_vpr_ros.viewing.live.plan import plan
from tetra_vpr_ros.viewing.live.state import LiveState
from visualization_msgs.msg import Marker, MarkerArray

_LATCHED = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.TRANSIENT_LOCAL)
_RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_STATES = ('localized', 'searching', 'unknown place', 'no images')


class LiveTopics(Node):
    """
    A node that listens to a localizer, in its own namespace, and publishes nothing.

    :param state: of the live view, told what is heard.
    :param with_plan: the plan is taken from the localizer's markers; else it is known already.
    """

    def __init__(self, state: LiveState, with_plan: bool, **kwargs: Any) -> None:
        """Subscribe."""
        super().__init__('vpr_watch', **kwargs)
        self._state, self._heard = state, False

        def listen(kind: Any, topic: str, callback: Any, qos: QoSProfile) -> Any:
            return self.create_subscription(kind, topic, callback, qos)

        self._status = listen(DiagnosticStatus, 'vpr/status', self._hear_status, _LATCHED)
        listen(PoseWithCovarianceStamped, 'vpr/match', self._hear_match, _RELIABLE)
        listen(PoseArray, 'vpr/candidates', self._hear_candidates, _RELIABLE)
        listen(PointCloud2, 'vpr/belief', self._hear_belief, _BEST_EFFORT)
        listen(CompressedImage, 'vpr/match_image/compressed', self._see, _BEST_EFFORT)
        if with_plan:
            listen(MarkerArray, 'vpr/markers', self._hear_markers, _LATCHED)
        # Steady: a simulation that has ended stops its clock.
        self.create_timer(1.0, self._look_around,
                          clock=Clock(clock_type=ClockType.STEADY_TIME))
        state.tell({'source': f'live: {self._status.topic_name}'})
        self._look_around()

    def _look_around(self) -> None:
        """Say so where nobody says anything: the localizer has ended, or is another, or waits."""
        if self.count_publishers(self._status.topic_name):
            if not self._heard:
                self._state.tell({'state': 'no images', 'detail':
                                  f'who publishes {self._status.topic_name} has said nothing yet: '
                                  "'ros2 lifecycle get' tells whether that localizer is active"})
            return
        why = 'it has ended' if self._heard else (
            "is 'localize' running, in this namespace (--ros-args -r __ns:=/robot1) and domain?")
        self._state.tell({
            'state': 'no images', 'detail': f'no localizer publishes {self._status.topic_name}: '
            f'{why}', 'pose': None, 'ellipse': None, 'candidates': [], 'belief': []})

    def _hear_status(self, message: DiagnosticStatus) -> None:
        self._heard = True
        values = {item.key: item.value for item in message.values}
        state = message.message if message.message in _STATES else 'no images'
        moment: Moment = {'state': state, 'detail': values.get('detail', message.message)}
        frame = 'latency_ms' in values  # else it tells of something else than a frame
        if frame:
            moment['confidence'] = _number(values.get('confidence'))
            moment['score'] = _number(values.get('score'))
            moment['latency_ms'] = _number(values['latency_ms'])
            moment['place'] = _whole(values.get('place'))
            moment['distance'] = _whole(values.get('distance'))
        if state != 'localized':
            moment['pose'] = moment['ellipse'] = None
        self._state.tell(moment, frame)

    def _hear_match(self, message: PoseWithCovarianceStamped) -> None:
        pose = pose_from_message(message.pose.pose)
        covariance = np.reshape(message.pose.covariance, (6, 6))
        if pose is None or not np.isfinite(covariance).all():
            return
        self._state.tell({
            'pose': (float(pose.position[0]), float(pose.position[1]), heading(pose)),
            'ellipse': (float(covariance[0, 0]), float(covariance[0, 1]),
                        float(covariance[1, 1]))})

    def _hear_candidates(self, message: PoseArray) -> None:
        poses = [pose_from_message(pose) for pose in message.poses]
        self._state.tell({'candidates': [
            (float(pose.position[0]), float(pose.position[1])) for pose in poses
            if pose is not None]})

    def _hear_belief(self, message: PointCloud2) -> None:
        try:
            points = belief_from_cloud(message)
        except ValueError as error:
            self.get_logger().warning(f'vpr/belief: {error}', once=True)
            return
        strong = points[points['belief'] >= LEAST_BELIEF][:BELIEF_SHOWN]
        rows = np.stack([strong['x'], strong['y'], strong['belief']], axis=1)
        rows = rows[np.isfinite(rows).all(axis=1)].astype(np.float64).round(4)
        self._state.tell({'belief': [(x, y, share) for x, y, share in rows.tolist()]})

    def _hear_markers(self, message: MarkerArray) -> None:
        for marker in message.markers:
            if (marker.ns, marker.type, marker.action) == ('places', Marker.TRIANGLE_LIST,
                                                           Marker.ADD):
                corners = np.array([(point.x, point.y) for point in marker.points])
                whole = corners[:len(corners) // 3 * 3].reshape(-1, 3, 2)
                places = whole.mean(axis=1)  # see `outputs.markers`
                self._state.lay_out(plan(places[np.isfinite(places).all(axis=1)],
                                         frame=marker.header.frame_id))

    def _see(self, message: CompressedImage) -> None:
        self._state.show(bytes(message.data))


def _number(text: str | None) -> float | None:
    """Return a finite number; None for anything else."""
    try:
        value = float(text or '')
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _whole(text: str | None) -> int | None:
    value = _number(text)
    return None if value is None else int(value)
