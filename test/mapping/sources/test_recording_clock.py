# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from hypothesis import given, strategies
from tetra_vpr_ros.mapping.sources.recording_clock import RecordingClock

S = 1_000_000_000


def test_a_reset_simulation_becomes_two_parts_behind_each_other():
    clock = RecordingClock()
    first = [clock.hear(i * S, 1000 * S + i * S) for i in range(100)]
    second = [clock.hear(i * S, 1100 * S + i * S) for i in range(100)]
    assert clock.jumps == 1
    assert second[0] > first[-1] + 1000 * S
    # A camera's frames find the poses of their own part, also beside the jump.
    assert clock.convert(50 * S, 1050 * S) == first[50]
    assert clock.convert(50 * S, 1150 * S) == second[50]
    assert clock.convert(99 * S, 1100 * S + S // 10) == first[99]  # came late
    assert clock.convert(0, 1100 * S - S // 10) == second[0]       # came early


def test_messages_a_little_out_of_order_are_no_jump():
    clock = RecordingClock()
    stamps = [0, 2, 1, 3, 5, 4]
    assert [clock.hear(s * S // 10, i) for i, s in enumerate(stamps)] == [
        s * S // 10 for s in stamps]
    assert not clock.jumps


@given(strategies.lists(strategies.integers(-10**12, 10**12), min_size=1, max_size=30))
def test_the_clock_never_runs_back_by_more_than_jitter(stamps):
    clock = RecordingClock()
    heard = [clock.hear(stamp, i) for i, stamp in enumerate(stamps)]
    assert all(b >= a - S for a, b in zip(heard, heard[1:]))
