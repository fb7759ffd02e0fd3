# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from hypothesis import given, strategies
import pytest
from tetra_vpr_ros.mapping.sources.recording_clock import RecordingClock

S = 1_000_000_000


def heard(messages):
    """Return the clock of (stamp, received), tenths of a second, and its stamps of them."""
    pairs = [(stamp * S // 10, received * S // 10) for stamp, received in messages]
    clock = RecordingClock(*zip(*pairs))
    return clock, [clock.convert(*pair) for pair in pairs]


def test_a_reset_simulation_becomes_two_parts_behind_each_other():
    clock, stamps = heard([(10 * i, 10_000 + part * 1000 + 10 * i)
                           for part in range(2) for i in range(100)])
    first, second = stamps[:100], stamps[100:]
    assert clock.jumps == 1
    assert second[0] > first[-1] + 1000 * S
    # A camera's frames find the poses of their own part, also beside the jump.
    assert clock.convert(50 * S, 1050 * S) == first[50]
    assert clock.convert(50 * S, 1150 * S) == second[50]
    assert clock.convert(99 * S, 1100 * S + S // 10) == first[99]  # came late
    assert clock.convert(0, 1100 * S - S // 10) == second[0]       # came early


def test_a_clock_that_was_set_back_by_little_is_two_parts_too():
    clock, stamps = heard([(i if i < 50 else i - 15, i) for i in range(100)])
    assert clock.jumps == 1
    assert stamps == sorted(stamps)
    assert clock.convert(40 * S // 10, 55 * S // 10) == stamps[55]  # a frame 0.5 s after it


LATE = {
    'a little out of order': [(0, 0), (2, 1), (1, 2), (3, 3), (5, 4), (4, 5)],
    'one in ten comes two seconds late': [
        (i - 20 if i % 10 == 5 else i, i) for i in range(20, 200)],
    'the last comes late': [*((i, i) for i in range(100)), (50, 100)],
    'each is sent again 1.5 s later': sorted(
        [(i, i) for i in range(100)] + [(i, i + 15) for i in range(85)], key=lambda m: m[1]),
    'five that waited for the network come at once': [
        *((i, i) for i in range(50)), *((i, 50) for i in range(30, 35)),
        *((i, i) for i in range(51, 100))],
}


@pytest.mark.parametrize('messages', LATE.values(), ids=LATE)
def test_what_comes_late_or_again_is_no_jump(messages):
    clock, stamps = heard(messages)
    assert not clock.jumps
    assert stamps == [stamp * S // 10 for stamp, _ in messages]


@given(strategies.lists(strategies.integers(-10**12, 10**12), max_size=30))
def test_every_part_begins_behind_the_one_before(stamps):
    clock = RecordingClock(stamps, [i * S for i in range(len(stamps))])
    parts = clock._parts
    begins = [part.first + part.offset for part in parts]
    ends = [part.last_before + offset for part, offset in zip(
        parts, [0, *(part.offset for part in parts)])]
    assert all(begin > end + S for begin, end in zip(begins, ends))
