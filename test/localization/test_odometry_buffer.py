# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.localization.odometry_buffer import OdometryBuffer
from worlds import at, SECOND


@pytest.fixture
def buffer():
    made = OdometryBuffer()
    for i in range(11):
        made.add(SECOND + i * SECOND // 10, at(0.1 * i, 0.0, 3.0 * i))
    return made


def test_poses_are_interpolated(buffer):
    pose = buffer.at(SECOND + 250_000_000)
    assert pose.position[0] == pytest.approx(0.25, abs=1e-3)
    assert pose.angle_to(at(0.0, 0.0, 7.5)) < 1e-6
    assert buffer.at(SECOND + 300_000_000).distance_to(at(0.3)) < 1e-9


def test_nothing_is_guessed_before_it_begins_or_after_it_stopped(buffer):
    assert buffer.at(SECOND - 1) is None
    assert buffer.at(2 * SECOND + 100_000_000).distance_to(at(1.0)) < 1e-9  # held for a moment
    assert buffer.at(3 * SECOND) is None
    assert OdometryBuffer().at(5) is None


def test_time_that_begins_anew_forgets(buffer):
    buffer.add(SECOND // 2, at(9.0))
    assert buffer.at(SECOND // 2).distance_to(at(9.0)) == 0
    assert buffer.at(SECOND + 500_000_000) is None
    buffer.clear()
    assert buffer.at(SECOND // 2) is None


def test_old_poses_are_let_go():
    buffer = OdometryBuffer()
    for i in range(10_000):
        buffer.add(i, at(float(i)))
    assert buffer.at(10) is None
    assert buffer.at(9_500).position[0] == 9_500
