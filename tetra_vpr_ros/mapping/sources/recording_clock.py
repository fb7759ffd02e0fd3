# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recordings whose clock jumped back: a simulation that was reset, a clock that was set."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

_JUMP = 1_000_000_000      # ns; messages of several publishers are out of order by less
_APART = 3_600_000_000_000  # ns between the parts: nothing is interpolated across
_NEAR = 2_000_000_000      # ns about a jump in which the order of recording does not decide


@dataclass(frozen=True)
class _Part:
    received: int
    first: int
    last_before: int
    offset: int


class RecordingClock:
    """
    Stamps that only rise, for a recording whose stamps jump back.

    Without, two drives at "the same" time would be mixed to one that jumps between
    both. Each part after a jump is set behind the one before it, by an offset.
    """

    def __init__(self) -> None:
        """Start with the first part."""
        self._latest: int | None = None
        self._parts: list[_Part] = []

    @property
    def jumps(self) -> int:
        """Return how often the stamps jumped back."""
        return len(self._parts)

    def hear(self, stamp: int, received: int) -> int:
        """
        Take the next stamp in the order of recording.

        :param stamp: of the message, nanoseconds.
        :param received: when it was recorded, nanoseconds.
        :returns: the stamp on the clock that only rises.
        """
        if self._latest is not None and stamp < self._latest - _JUMP:
            offset = self._offset + self._latest - stamp + _APART
            self._parts.append(_Part(received, stamp, self._latest, offset))
            self._latest = stamp
        self._latest = stamp if self._latest is None else max(self._latest, stamp)
        return stamp + self._offset

    @property
    def _offset(self) -> int:
        return self._parts[-1].offset if self._parts else 0

    def convert(self, stamp: int, received: int) -> int:
        """
        Return a stamp of another topic on the clock that only rises.

        :param stamp: of the message, nanoseconds.
        :param received: when it was recorded, nanoseconds.
        """
        at = bisect_right(self._parts, received, key=lambda part: part.received)
        if at < len(self._parts):  # it may have come just before the first pose of its part
            coming = self._parts[at]
            if (coming.received - received < _NEAR
                    and abs(stamp - coming.first) < abs(stamp - coming.last_before)):
                return stamp + coming.offset
        if not at:
            return stamp
        part = self._parts[at - 1]
        if (received - part.received < _NEAR
                and abs(stamp - part.last_before) < abs(stamp - part.first)):
            return stamp + (self._parts[at - 2].offset if at > 1 else 0)
        return stamp + part.offset
