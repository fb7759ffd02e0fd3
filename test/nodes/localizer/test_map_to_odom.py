# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The transform from the map to the odometry frame, against a clock of the test's own."""

import json

import fake_tf2
import numpy as np
import pytest
from rclpy.clock import ClockType, ROSClock
from rclpy.time import Time
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.nodes.localizer.outputs.map_to_odom import MapToOdom

pytestmark = pytest.mark.ros

HERE = Pose(np.array([3.0, 4.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]))
ODOM = Pose(np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]))
SECOND = 10**9


@pytest.fixture
def sending(inside, monkeypatch, tmp_path):
    """Return a broadcaster, how to let time pass, and what was sent."""
    monkeypatch.setitem(__import__('sys').modules, 'tf2_ros', fake_tf2)
    monkeypatch.setenv('FAKE_TF', str(tmp_path / 'tf'))
    node, clock = inside(), ROSClock()
    clock._set_ros_time_is_active(True)
    monkeypatch.setattr(node, 'get_clock', lambda: clock)
    made = MapToOdom(node, 'map', lambda: 0.5)

    def at(seconds):
        clock.set_ros_time_override(Time(seconds=seconds, clock_type=ClockType.ROS_TIME))
        made._send()

    def stamps():
        file = tmp_path / 'tf.sent'
        return [json.loads(line)[-1] for line in file.read_text().splitlines()
                ] if file.exists() else []

    yield made, at, stamps
    made.destroy()


def test_it_is_sent_again_as_time_passes_and_only_then(sending):
    made, at, stamps = sending
    at(100)
    assert stamps() == []  # not localized yet
    made.correct(HERE, ODOM, 'odom', 100 * SECOND - SECOND // 10)  # the image is 0.1 s old
    assert stamps() == [100.4 * SECOND]
    at(100)
    assert len(stamps()) == 1  # time stands still
    at(101)
    assert stamps()[1:] == [101.4 * SECOND]
    at(50)  # a simulation began anew
    assert stamps()[2:] == [50.4 * SECOND]


def test_a_bag_without_simulated_time_keeps_its_own_time(sending):
    made, at, stamps = sending
    at(1000)
    made.correct(HERE, ODOM, 'odom', 20 * SECOND)
    at(1002)
    assert stamps() == [20.5 * SECOND, 22.5 * SECOND]
