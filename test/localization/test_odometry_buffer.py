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
    for i in range(3):
        buffer.add(SECOND // 2 + i * SECOND // 100, at(9.0))
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


def test_what_odometry_says_it_does_not_know_is_left_out():
    buffer = OdometryBuffer()
    for i in range(5):  # a visual odometry that begins lost, at its origin
        buffer.add(SECOND + i * SECOND // 10, at(0.0), lost=True)
    assert buffer.at(SECOND).distance_to(at(0.0)) == 0  # so far it could say so of all
    for i in range(5, 15):
        buffer.add(SECOND + i * SECOND // 10, at(0.0 if i == 9 else 0.1 * i), lost=i == 9)
    assert buffer.at(SECOND) is None
    assert buffer.at(SECOND + 900_000_000).position[0] == pytest.approx(0.9, abs=1e-6)
    assert buffer.lost == 1
    buffer.clear()
    assert buffer.lost == 0


def test_a_stamp_that_comes_again_replaces_and_loses_no_image():
    buffer = OdometryBuffer()
    for i in range(60):  # a filter of 30 Hz whose measurements come at 15 Hz
        stamp = SECOND + i // 2 * SECOND // 15
        buffer.add(stamp, at(float(i // 2)))
        if i > 6:
            asked = stamp - 90_000_000
            pose = buffer.at(asked)
            assert pose.position[0] == pytest.approx((asked - SECOND) * 15 / SECOND, abs=1e-6)
    buffer.add(stamp, at(77.0))
    assert buffer.at(stamp).position[0] == 77.0


@pytest.mark.parametrize('late', [SECOND // 10, 3 * SECOND // 2])
def test_one_message_in_ten_out_of_order_loses_no_image(late):
    buffer = OdometryBuffer()
    came = sorted((SECOND + i * SECOND // 50 + (late if i % 10 == 5 else 0), i)
                  for i in range(400))
    for _, i in came:
        buffer.add(SECOND + i * SECOND // 50, at(float(i)))
        if i > 100 and i % 10 != 5:
            asked = SECOND + i * SECOND // 50 - 90_000_000
            assert buffer.at(asked).position[0] == pytest.approx(i - 4.5, abs=1e-6)
