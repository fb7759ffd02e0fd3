# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The localizer as a process, and a node that talks to it."""

from collections import defaultdict
import signal
import subprocess
import sys
import time

import rclpy
from sample_data import ROOT


class Probe:
    """A node of the test's own that listens, asks and publishes."""

    def __init__(self):
        from lifecycle_msgs.srv import ChangeState, GetState
        from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
        self.node = rclpy.create_node('probe')
        self.received = defaultdict(list)
        self.clients = {
            name: self.node.create_client(kind, f'/vpr_localize/{name}')
            for name, kind in (('change_state', ChangeState), ('get_state', GetState),
                               ('set_parameters', SetParameters),
                               ('get_parameters', GetParameters),
                               ('describe_parameters', DescribeParameters))}

    def listen(self, topic, kind, latched=False, best_effort=False):
        from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
        qos = QoSProfile(
            depth=100,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
            reliability=(ReliabilityPolicy.BEST_EFFORT if best_effort
                         else ReliabilityPolicy.RELIABLE))
        return self.node.create_subscription(kind, topic, self.received[topic].append, qos)

    def spin(self, until=lambda: False, seconds=20.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if until():
                return True
            rclpy.spin_once(self.node, timeout_sec=0.05)
        return until()

    def call(self, name, request):
        client = self.clients[name]
        assert client.wait_for_service(30.0), f'no service {name}'
        future = client.call_async(request)
        rclpy.spin_until_future_complete(self.node, future, timeout_sec=60)
        assert future.done(), f'{name} does not answer'
        return future.result()

    def change(self, transition):
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState
        request = ChangeState.Request()
        request.transition.id = getattr(Transition, f'TRANSITION_{transition.upper()}')
        return self.call('change_state', request).success

    def state(self):
        from lifecycle_msgs.srv import GetState
        return self.call('get_state', GetState.Request()).current_state.label

    def set_parameter(self, name, value):
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()])
        return self.call('set_parameters', request).results[0]

    def values(self, topic='/vpr/status'):
        """Return state and values of the newest status."""
        status = self.received[topic][-1]
        status = status.status[0] if hasattr(status, 'status') else status
        return status.message, {item.key: item.value for item in status.values}


class Localizer:
    """The node as a process; its log is kept."""

    def __init__(self, log, namespace='/', **parameters):
        command = [sys.executable, '-m', 'tetra_vpr_ros.nodes.localize', '--ros-args',
                   '-r', f'__ns:={namespace}']
        for name, value in parameters.items():
            command += ['-p', f'{name}:={value}']
        self.log_file = log
        self.stream = log.open('w')
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=self.stream,
                                        stderr=subprocess.STDOUT)

    @property
    def log(self):
        return self.log_file.read_text()

    @property
    def alive(self):
        return self.process.poll() is None

    def stop(self, how=signal.SIGINT):
        if self.alive:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            finally:
                self.process.kill()  # no-op for a process that has ended
                self.stream.close()
