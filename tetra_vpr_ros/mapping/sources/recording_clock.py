# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recordings whose clock jumped back: a simulation that was reset, a clock that was set."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

_JUMP = 1_000_000_000      # ns; messages of one publisher are out of order by less
_STAYS = 1_000_000_000     # ns of recording in which nothing of the time before the jump comes
_FEW = 3                   # messages at least that tell whether a jump stays
_APART = 3_600_000_000_000  # ns between the parts: nothing is interpolated across
_NEAR = 2_000_000_000      # ns about a jump in which the order of recording does not decide


@dataclass(frozen=True)
class _Part:
    received: int
    first: int
    last_before: int
    offset: int

    def began_before(self, stamp: int, received: int) -> bool:
        """Tell whether a stamp near the jump is of the time before it."""
        passed = received - self.received
        return abs(stamp - self.last_before - passed) < abs(stamp - self.first - passed)


class RecordingClock:
    """
    Stamps that only rise, for a recording whose stamps jump back.

    Without, two drives at "the same" time would be mixed to one that jumps between
    both. Each part after a jump is set behind the one before it, by an offset. A message
    that comes late, or once more, is no jump: the stamps must stay back.

    :param stamps: of the messages of *one* publisher, in the order of recording,
        nanoseconds; those of several are ahead of each other by seconds.
    :param received: when each was recorded, nanoseconds.
    """

    def __init__(self, stamps: Sequence[int] = (), received: Sequence[int] = ()) -> None:
        """Find the jumps."""
        self._parts: list[_Part] = []
        begin = 0
        while (jump := _first_jump(stamps, received, begin)) is not None:
            latest = max(stamps[begin:jump])
            offset = self._parts[-1].offset if self._parts else 0
            self._parts.append(_Part(received[jump], stamps[jump], latest,
                                     offset + latest - stamps[jump] + _APART))
            begin = jump

    @property
    def jumps(self) -> int:
        """Return how often the stamps jumped back."""
        return len(self._parts)

    @property
    def first_jump(self) -> int | None:
        """Return when the first message after a jump was recorded, nanoseconds."""
        return self._parts[0].received if self._parts else None

    def within_part(self, moment: int, stamp: int) -> int:
        """
        Return the moment that is nearest to one and of the part to which a stamp belongs.

        :param moment: on the clock that only rises.
        :param stamp: on that clock, too.
        """
        offsets = [0, *(part.offset for part in self._parts)]
        at = bisect_right(self._parts, stamp,
                          key=lambda part: part.first + part.offset - _APART // 2)
        if at:
            part = self._parts[at - 1]
            moment = max(moment, part.first + part.offset)
        if at < len(self._parts):
            moment = min(moment, self._parts[at].last_before + offsets[at])
        return moment

    def convert(self, stamp: int, received: int) -> int:
        """
        Return a stamp, also one of another topic, on the clock that only rises.

        :param stamp: of the message, nanoseconds.
        :param received: when it was recorded, nanoseconds.
        """
        at = bisect_right(self._parts, received, key=lambda part: part.received)
        if at < len(self._parts):  # it may have come just before the first pose of its part
            coming = self._parts[at]
            if (coming.received - received < _NEAR
                    and not coming.began_before(stamp, received)):
                return stamp + coming.offset
        if not at:
            return stamp
        part = self._parts[at - 1]
        if received - part.received < _NEAR and part.began_before(stamp, received):
            return stamp + (self._parts[at - 2].offset if at > 1 else 0)
        return stamp + part.offset


def _first_jump(stamps: Sequence[int], received: Sequence[int], begin: int) -> int | None:
    """Return where the stamps first jump back and stay there."""
    latest = accumulate(stamps[begin:], max)
    for at, before in enumerate(latest, begin + 1):
        if (at < len(stamps) and stamps[at] < before - _JUMP
                and _stays(stamps, received, at, before)):
            return at
    return None


def _stays(stamps: Sequence[int], received: Sequence[int], at: int, latest: int) -> bool:
    """Tell whether what comes after a jump goes on from it, and not from before it."""
    after = range(at + 1, len(stamps))
    for i in after:
        passed = received[i] - received[at]
        if i > at + _FEW and passed > _STAYS:
            break
        if abs(stamps[i] - latest - passed) < abs(stamps[i] - stamps[at] - passed):
            return False
    return len(after) > 0
