# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The transforms between two frames of a recording."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
import math
from statistics import median

import numpy as np
from tetra_vpr_ros.mapping.sources.pose_track import PoseTrack
from tetra_vpr_ros.mapping.sources.recording.pose_records import without_repeats
from tetra_vpr_ros.mapping.sources.recording_clock import RecordingClock

_MOST_AHEAD = 10_000_000_000  # ns by which a localizer may date its transforms ahead
_AHEAD = 200_000_000          # ns by which a transform is dated ahead, and not only early
_FILL = 100_000_000           # ns between the poses for which one stands that is dated ahead
_MOMENT = 500_000_000         # ns that a step counts at most
_STILL = 1e-4                 # metres, half angles
_ALIKE = 0.8                  # of the time in which the edge moves that does so longest

Key = tuple[str, str]
"""Parent and child frame."""


@dataclass
class Edge:
    """
    The transforms between two frames, in the order of recording.

    :ivar stamps: nanoseconds.
    :ivar received: when each was recorded, nanoseconds.
    :ivar rows: x y z qx qy qz qw of the child in the parent.
    """

    stamps: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    rows: list[tuple[float, ...]] = field(default_factory=list)

    def moving_time(self) -> int:
        """Return for how long it moves, nanoseconds; a step after a long time is a moment."""
        order = np.argsort(self.stamps, kind='stable')
        steps = np.abs(np.diff(np.asarray(self.rows)[order], axis=0)).max(axis=1, initial=0)
        times = np.diff(np.asarray(self.stamps)[order]).clip(0, _MOMENT)
        return int(times[steps > _STILL].sum())

    def lag(self, until: int | None = None) -> int:
        """
        Return how long after its stamps it is recorded, nanoseconds.

        :param until: nanoseconds; what was recorded later does not matter, if anything is left.
        """
        lags = [came - stamp for stamp, came in zip(self.stamps, self.received)]
        early = lags[:bisect_left(self.received, until)] if until is not None else lags
        return int(median(early or lags))

    def in_time_of(self, clock: RecordingClock, moving: Edge) -> Edge:
        """
        Return the transforms on the clock of the edge that moves most.

        :param clock: that clock.
        :param moving: that edge, as it was recorded; another may be dated ahead of it.
        """
        ahead = moving.lag(clock.first_jump) - self.lag(clock.first_jump)
        return replace(self, stamps=[clock.convert(stamp - ahead, received) + ahead
                                     for stamp, received in zip(self.stamps, self.received)])

    def without_repeats(self) -> Edge:
        """Leave out what was sent again: it is no sign of a clock that jumped back."""
        return self.part(without_repeats(self.stamps, self.received, self.rows))

    def part(self, keep: Sequence[int]) -> Edge:
        """Return some of the transforms."""
        return Edge([self.stamps[i] for i in keep], [self.received[i] for i in keep],
                    [self.rows[i] for i in keep])

    def now(self, received: int) -> int:
        """Return the newest stamp that had been recorded by a moment, else the first."""
        return self._newest[max(bisect_right(self.received, received) - 1, 0)]

    @cached_property
    def _newest(self) -> list[int]:
        return list(accumulate(self.stamps, max))

    def track(self) -> PoseTrack:
        """Return the poses of the one frame in the other."""
        rows = np.asarray(self.rows, np.float64)
        return PoseTrack(self.stamps, rows[:, :3], rows[:, 3:])

    def begin_when_sent(self, moving: Edge, clock: RecordingClock) -> None:
        """
        Let transforms that are dated ahead, as those of AMCL, begin when they were sent.

        That matters for the first, and for those after a pause.
        """
        order = np.argsort(self.stamps, kind='stable').tolist()
        added: list[tuple[int, int, tuple[float, ...]]] = []
        for before, i in zip([None, *order], order):
            since = clock.within_part(moving.now(self.received[i]), self.stamps[i])
            ahead = self.stamps[i] - since
            if before is None:
                begins = 0 < ahead <= _MOST_AHEAD
            else:
                begins = self.stamps[before] < since and _AHEAD < ahead <= _MOST_AHEAD
            if begins:
                added += [(stamp, self.received[i], self.rows[i])
                          for stamp in range(since, self.stamps[i], _FILL)]
        for stamp, received, row in added:
            self.stamps.append(stamp)
            self.received.append(received)
            self.rows.append(row)

    def period(self) -> float:
        """Return the usual time between two, nanoseconds; infinity where there is only one."""
        stamps = np.unique(self.stamps)
        return float(np.median(np.diff(stamps))) if len(stamps) > 1 else math.inf


def most_moving(edges: Mapping[Key, Edge]) -> Key:
    """Return the edge of the robot's motion; of several the one that is dated least ahead."""
    times = {key: edge.moving_time() for key, edge in edges.items()}
    likely = [key for key, time in times.items() if time >= _ALIKE * max(times.values())]
    if not max(times.values()):
        return max(edges, key=lambda key: len(edges[key].stamps))
    return max(likely, key=lambda key: edges[key].lag())
