# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything that the localizer publishes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, NavSatFix
from tetra_vpr_ros.localization import Estimate
from tetra_vpr_ros.localization.belief.believed import Believed
from tetra_vpr_ros.localization.mapped_places import MappedPlaces
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.nodes.localizer import conversions
from tetra_vpr_ros.nodes.localizer.outputs.belief import BeliefOutputs
from tetra_vpr_ros.nodes.localizer.outputs.markers import match_marker, places_marker
from tetra_vpr_ros.vision import ImageError
from tetra_vpr_ros.vision.side_by_side import side_by_side
from visualization_msgs.msg import MarkerArray

_RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                      durability=DurabilityPolicy.TRANSIENT_LOCAL)
_BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)

LOCALIZED, SEARCHING = 'localized', 'searching'
UNKNOWN_PLACE, NO_IMAGES = 'unknown place', 'no images'
_LEVELS = {LOCALIZED: 0, SEARCHING: 1, UNKNOWN_PLACE: 1, NO_IMAGES: 3}  # OK, WARN, STALE
_BASE = 'base_link'  # of a robot that nobody has named otherwise (REP-105)
_HEARD = Duration(seconds=0.3)  # on this machine it takes a hundredth of that
# Names of nodes that write down or show what they hear, and start from nothing.
_ONLOOKERS = ('rosbag2_recorder', '_ros2cli', 'foxglove_bridge', 'rosbridge')

Values = Iterable[tuple[str, object]]


class Outputs:
    """
    The publishers of the node.

    :param node: they belong to; they publish while it is active.
    :param frame_id: frame of the poses.
    :param global_pose_frame: of the robot, for who wants that in the header; empty for nobody.
    :ivar state: the last status, one of `LOCALIZED`, `SEARCHING`, `UNKNOWN_PLACE`, `NO_IMAGES`.
    :ivar first_fix: stamp of the first match, told in each status; None until there is one.
    """

    def __init__(self, node: LifecycleNode, frame_id: str, global_pose_frame: str = '') -> None:
        """Create the publishers."""
        self._node, self._robot_frame = node, global_pose_frame
        self._made: list[Any] = []
        self.frame_id = frame_id
        self.first_fix: Time | None = None
        self.state, self._values = SEARCHING, tuple[tuple[str, object], ...]()
        try:
            self._create()
        except BaseException:
            self.destroy()
            raise

    def _create(self) -> None:
        def make(kind: Any, topic: str, qos: QoSProfile) -> Any:
            self._made.append(self._node.create_lifecycle_publisher(kind, topic, qos))
            return self._made[-1]

        self._match = make(PoseWithCovarianceStamped, 'vpr/match', _RELIABLE)
        self._candidates = make(PoseArray, 'vpr/candidates', _RELIABLE)
        self._status = make(DiagnosticStatus, 'vpr/status', _LATCHED)
        self._picture = make(CompressedImage, 'vpr/match_image/compressed', _BEST_EFFORT)
        # Two publishers: each keeps its own last message for late subscribers.
        self._places = make(MarkerArray, 'vpr/markers', _LATCHED)
        self._marker = make(MarkerArray, 'vpr/markers', _LATCHED)
        self._belief = BeliefOutputs(make, self.frame_id)
        self._diagnostics = make(DiagnosticArray, '/diagnostics', _RELIABLE)
        self._fix = make(NavSatFix, 'vpr/fix', _RELIABLE)
        self._initial = make(PoseWithCovarianceStamped, 'initialpose', _RELIABLE)
        self._initial_sent: PoseWithCovarianceStamped | None = None
        self._global = (make(PoseWithCovarianceStamped, 'vpr/global_pose', _RELIABLE)
                        if self._robot_frame else None)

    def end(self, detail: str) -> None:
        """Say that nobody is localized any more, and wait for a moment until it is heard."""
        self.status(NO_IMAGES, detail)
        self._status.wait_for_all_acked(_HEARD)

    def destroy(self) -> None:
        """Take the publishers from the graph."""
        for publisher in self._made:
            self._node.destroy_lifecycle_publisher(publisher)
        self._made = []

    def match(self, estimate: Estimate, stamp: Any) -> None:
        """Publish the pose, and the fix of a geo-tagged map; only for accepted estimates."""
        self._match.publish(conversions.match_message(estimate, self.frame_id, stamp))
        fix = conversions.fix_message(estimate, self._robot_frame or _BASE, stamp)
        if fix is not None:
            self._fix.publish(fix)
        if self._global is not None:
            self._global.publish(conversions.match_message(estimate, self._robot_frame, stamp))

    def initial_pose_is_awaited(self) -> bool:
        """
        Tell whether anybody listens to ``initialpose`` who starts from it.

        Who also publishes there is this node, or another localizer of the robot.
        """
        topic = self._initial.topic_name
        telling = {(other.node_name, other.node_namespace)
                   for other in self._node.get_publishers_info_by_topic(topic)}
        return any((other.node_name, other.node_namespace) not in telling
                   and not other.node_name.startswith(_ONLOOKERS)
                   for other in self._node.get_subscriptions_info_by_topic(topic))

    def initial_pose(self, estimate: Estimate, stamp: Any) -> None:
        """Publish an accepted estimate where Nav2's AMCL takes its start from."""
        self._initial_sent = conversions.initial_pose_message(estimate, self.frame_id, stamp)
        self._initial.publish(self._initial_sent)

    def is_own_initial_pose(self, message: PoseWithCovarianceStamped) -> bool:
        """Tell whether a message on ``initialpose`` came from here."""
        return bool(message == self._initial_sent)

    def details(self, estimate: Estimate, stamp: Any) -> None:
        """Publish candidates and marker of any estimate."""
        self._candidates.publish(
            conversions.candidates_message(estimate, self.frame_id, stamp))
        self._marker.publish(match_marker(estimate, self.frame_id, stamp))

    @property
    def belief_is_awaited(self) -> bool:
        """Tell whether anybody listens to the belief."""
        return self._belief.awaited

    def belief(self, believed: Believed, places: MappedPlaces, stamp: Any) -> None:
        """Publish the belief over the places of the map."""
        self._belief.publish(believed, places.table, stamp)

    def places(self, places: MappedPlaces, limit: int) -> None:
        """Publish the places of the map, for late subscribers too."""
        self._places.publish(places_marker(places, self.frame_id, limit))

    def status(self, state: str, detail: str, values: Values = ()) -> None:
        """Publish the status, for late subscribers too."""
        self.state = state
        fix = self.first_fix
        told = '' if fix is None else f'{fix.sec}.{fix.nanosec:09d}'
        self._values = ('detail', detail), *values, ('first_fix', told)
        self._status.publish(conversions.status_message(
            _LEVELS[state], self._node.get_fully_qualified_name(), state, self._values))

    def picture(self, image: NDArray[np.uint8], estimate: Estimate, place_map: PlaceMap,
                stamp: Any) -> None:
        """Publish query beside reference; costs nothing while nobody listens."""
        if not self._picture.get_subscription_count():
            return
        text = (f'place {estimate.place_id}  {estimate.distance}/{place_map.bits} '
                f"{'accepted' if estimate.accepted else 'rejected'}")
        try:
            jpeg = side_by_side(image, place_map.thumbnail(estimate.place_id), text)
            self._picture.publish(conversions.picture_message(jpeg, stamp))
        except (ImageError, MapError) as error:  # a map may have been overwritten by now
            self._node.get_logger().warning(f'no match picture: {error}',
                                            throttle_duration_sec=5.0)

    def diagnostics(self, values: Values) -> None:
        """
        Publish the health of the node and the state of its belief.

        The name is the node's full one, so that two robots are told apart.
        """
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.status = [conversions.status_message(
            _LEVELS[self.state], f'{self._node.get_fully_qualified_name()}: localization',
            self.state, (*self._values, *values))]
        self._diagnostics.publish(message)
