# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from tetra_vpr_ros.localization.belief.gate import PlausibilityGate
from worlds import at, SECOND


def test_what_the_speed_allows_passes_and_a_jump_does_not():
    gate = PlausibilityGate(slack=1.0, max_speed=2.0)
    assert gate.check(at(0.0), 0, None) == ''
    assert gate.check(at(2.9), 1 * SECOND, None) == ''
    reason = gate.check(at(20.0), 2 * SECOND, None)
    assert '17.1 m from where the robot was, 3.0 m are plausible' in reason
    assert gate.check(at(5.0), 3 * SECOND, None) == ''  # back where it can be


def test_odometry_is_believed_over_the_speed():
    gate = PlausibilityGate(slack=1.0, max_speed=2.0)
    gate.check(at(10.0, 5.0, 90), 0, at(0.0))
    assert gate.check(at(10.0, 9.0, 90), 100, at(4.0)) == ''  # 4 m ahead is north here
    assert 'odometry leads' in gate.check(at(14.0, 9.0), 200, at(4.0))


def test_a_robot_that_was_carried_away_is_believed_after_some_frames():
    gate = PlausibilityGate(slack=1.0, max_speed=2.0)
    gate.check(at(0.0), 0, None)
    reasons = [gate.check(at(100.0), i, None) for i in range(1, 6)]
    assert [bool(reason) for reason in reasons] == [True, True, True, False, False]
    gate.reset()
    assert gate.check(at(-100.0), 0, None) == ''
