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
    made = MapToOdom(node, 'map', lambda: 0.5, lambda: 1.0)

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


def test_a_frame_is_no_parent_of_itself(sending):
    made, at, stamps = sending
    at(100)
    made.correct(HERE, ODOM, '/map', 100 * SECOND)
    at(101)
    assert stamps() == []
    made.correct(HERE, ODOM, 'odom', 101 * SECOND)
    assert len(stamps()) == 1


def test_a_clock_that_begins_anew_ends_it_until_the_next_match(sending):
    made, at, stamps = sending
    at(100)
    made.correct(HERE, ODOM, 'odom', 100 * SECOND)
    at(50)  # a simulation, or a bag in a loop
    at(51)
    made.correct(HERE, ODOM, 'odom', 100 * SECOND)  # its image was in work before
    at(52)
    assert stamps() == [100.5 * SECOND]
    made.correct(HERE, ODOM, 'odom', 52 * SECOND)
    at(53)
    assert stamps()[1:] == [52.5 * SECOND, 53.5 * SECOND]


def test_another_clock_ends_it_until_the_next_match(sending):
    made, at, stamps = sending
    at(1.7e9)
    made.correct(HERE, ODOM, 'odom', 60 * SECOND)  # simulated images, and the system's clock
    sent = len(stamps())
    made._node.get_clock()._set_ros_time_is_active(False)
    made._send()
    made._node.get_clock()._set_ros_time_is_active(True)
    at(61)
    assert len(stamps()) == sent == 1
    made.correct(HERE, ODOM, 'odom', 61 * SECOND)
    assert stamps()[1:] == [61.5 * SECOND]


def test_nothing_is_sent_before_the_clock_begins(sending):
    made, at, stamps = sending
    at(0)  # no /clock yet
    made.correct(HERE, ODOM, 'odom', 1_700_000_000 * SECOND)
    at(1_700_000_000)
    assert stamps() == []


def test_a_bag_without_simulated_time_keeps_its_own_time(sending):
    made, at, stamps = sending
    at(1000)
    made.correct(HERE, ODOM, 'odom', 20 * SECOND)
    at(1002)
    assert stamps() == [20.5 * SECOND, 22.5 * SECOND]


def test_images_may_be_dated_ahead_by_as_much_as_is_allowed(sending):
    made, at, stamps = sending
    at(100)
    made.correct(HERE, ODOM, 'odom', 102 * SECOND)
    assert stamps() == []
    made._future = lambda: 5.0  # future_tolerance
    made.correct(HERE, ODOM, 'odom', 102 * SECOND)
    assert stamps() == [102.5 * SECOND]


def test_a_clock_that_jumps_while_a_match_is_taken_is_not_overlooked(sending):
    made, at, stamps = sending
    at(100)
    clock = made._node.get_clock()

    def allowed():  # asked between the look at the clock and the keeping of the match
        clock.set_ros_time_override(Time(seconds=50, clock_type=ClockType.ROS_TIME))
        return 1.0

    made._future = allowed
    made.correct(HERE, ODOM, 'odom', 100 * SECOND)
    at(51)
    assert stamps() == []
