# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A node of the tests' own that listens, asks and publishes."""

from collections import defaultdict
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from processes import ENOUGH
from rcl_interfaces.srv import DescribeParameters, SetParameters
import rclpy
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import NavSatFix
from tetra_vpr_ros.nodes.localizer.conversions import nanoseconds
from visualization_msgs.msg import MarkerArray

LOSSLESS = QoSProfile(depth=2000, reliability=ReliabilityPolicy.RELIABLE)

AGAIN = 10.0  # seconds after which a request that may be made twice is made again


class Probe:
    """
    Hears from the beginning what the localizer says, so that no test misses the first message.

    The latched status is subscribed to last: once it has come, all the others are connected.
    """

    def __init__(self):
        self.node = rclpy.create_node('probe')
        self.received = defaultdict(list)
        self._mine = []  # made by the running test
        self._clients = {}
        self.talk_to('vpr_localize')
        for topic, kind in (('/vpr/match', PoseWithCovarianceStamped), ('/vpr/fix', NavSatFix),
                            ('/initialpose', PoseWithCovarianceStamped),
                            ('/diagnostics', DiagnosticArray), ('/vpr/candidates', PoseArray)):
            self.listen(topic, kind)
        self.listen('/vpr/markers', MarkerArray, latched=True)
        self.listen('/vpr/status', DiagnosticStatus, latched=True)
        self._mine.clear()

    def talk_to(self, name):
        """Address services to the localizer of this name."""
        self._name = name

    def listen(self, topic, kind, latched=False, best_effort=False):
        qos = QoSProfile(
            depth=2000,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
            reliability=(ReliabilityPolicy.BEST_EFFORT if best_effort
                         else ReliabilityPolicy.RELIABLE))
        made = self.node.create_subscription(kind, topic, self.received[topic].append, qos)
        self._mine.append((self.node.destroy_subscription, made))
        return made

    def publisher(self, kind, topic, qos=LOSSLESS):
        made = self.node.create_publisher(kind, topic, qos)
        self._mine.append((self.node.destroy_publisher, made))
        return made

    def begin(self):
        """Wait until nobody publishes or serves any more, and forget what was received before."""
        self.spin(lambda: not self.node.count_publishers('/vpr/status'))
        # A request that still finds the server of a process that has ended is never answered.
        self.spin(lambda: not any(client.service_is_ready() for name, client in
                                  self._clients.items() if name.startswith('/vpr_localize/')))
        self.spin(seconds=0.1)
        self.talk_to('vpr_localize')
        self.forget()

    def forget(self):
        """Forget what was received so far."""
        for messages in self.received.values():
            messages.clear()

    def end(self):
        """Let go of what the test made."""
        for destroy, made in self._mine:
            destroy(made)
        self._mine.clear()

    def spin(self, until=lambda: False, seconds=ENOUGH):
        """Listen until something is so; return whether it became so in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if until():
                return True
            rclpy.spin_once(self.node, timeout_sec=0.05)
        return until()

    def answered(self, stamp_ns):
        """Wait until the frame with this stamp was worked on; return whether it was."""
        answers = self.received['/vpr/candidates']
        return self.spin(lambda: any(nanoseconds(a.header.stamp) == stamp_ns
                                     for a in reversed(answers)))

    def call(self, name, kind, request, patience=ENOUGH):
        """Ask a service of the localizer; again when no answer comes for so long."""
        service, client = f'/{self._name}/{name}', self._client(name, kind)
        assert client.wait_for_service(ENOUGH), f'no service {service}'
        for _ in range(round(ENOUGH / patience)):
            future = client.call_async(request)
            if self.spin(future.done, patience):
                return future.result()
        raise AssertionError(f'{service} does not answer')

    def _client(self, name, kind):
        service = f'/{self._name}/{name}'
        if service not in self._clients:
            self._clients[service] = self.node.create_client(kind, service)
        return self._clients[service]

    def known(self, name, kind):
        """Return a client that the server knows, for what must not be asked twice."""
        # A server's answer is lost to a client that it has not discovered yet. It discovers them
        # in the order in which they were made: once it has answered a later one, which may be
        # asked again, it knows this one.
        if f'/{self._name}/{name}' not in self._clients:
            self._client(name, kind)
            earlier = self._clients.pop(f'/{self._name}/get_state', None)
            if earlier is not None:
                self.node.destroy_client(earlier)
        self.state()
        return self._client(name, kind)

    def change(self, transition):
        self.known('change_state', ChangeState)
        request = ChangeState.Request()
        request.transition.id = getattr(Transition, f'TRANSITION_{transition.upper()}')
        return self.call('change_state', ChangeState, request).success

    def state(self):
        return self.call('get_state', GetState, GetState.Request(), AGAIN).current_state.label

    def describe(self, names):
        return self.call('describe_parameters', DescribeParameters,
                         DescribeParameters.Request(names=names), AGAIN).descriptors

    def set_parameters(self, values):
        request = SetParameters.Request(parameters=[
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()])
        return self.call('set_parameters', SetParameters, request, AGAIN).results

    def set_parameter(self, name, value):
        return self.set_parameters({name: value})[0]

    def values(self, topic='/vpr/status'):
        """Return state and values of the newest status."""
        return self.values_of(self.received[topic][-1])

    @staticmethod
    def values_of(status):
        """Return state and values of a status or of diagnostics."""
        status = status.status[0] if hasattr(status, 'status') else status
        return status.message, {item.key: item.value for item in status.values}
