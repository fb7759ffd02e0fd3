# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recorded poses: which are none, and whether they are those of one robot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.pose import FARTHEST, without_leap
from tetra_vpr_ros.mapping.sources.gps import track_from_fixes
from tetra_vpr_ros.mapping.sources.pose_track import Origin, PoseTrack, TrackError
from tetra_vpr_ros.mapping.sources.recording.leaps import without_leaps
from tetra_vpr_ros.mapping.sources.recording_clock import RecordingClock

_SOME = 5  # poses of one stamp that are no accident
_NOT_UNIT = 0.1  # by which the length of a quaternion may differ from one, unrounded
_EARTH = 6.37e6  # metres, its radius
_AGAIN = 5_000_000_000  # ns within which what comes again is a repetition


def unsound(rows: NDArray[np.float64]) -> list[str]:
    """
    Tell why poses are none.

    :param rows: x y z qx qy qz qw, ``[n, 7]``.
    :returns: of each the reason, empty where it is sound.
    """
    with np.errstate(over='ignore', invalid='ignore'):
        norms = np.linalg.norm(rows[:, 3:], axis=1)
        there = np.asarray((np.abs(rows[:, :3]) <= FARTHEST).all(axis=1))
    return [_why(bool(here), float(norm)) for here, norm in zip(there, norms)]


def _why(there: bool, norm: float) -> str:
    if not there or not np.isfinite(norm):
        return 'not finite or off the Earth'
    if norm < _NOT_UNIT:
        return 'of a zero quaternion'
    return 'of no unit quaternion' if abs(norm - 1) > _NOT_UNIT else ''


def without_repeats(stamps: Sequence[int], received: Sequence[int],
                    rows: Sequence[tuple[float, ...]]) -> list[int]:
    """
    Return the indices of poses but for those that were sent again, stamp and all.

    They are no sign of a clock that jumped back. A simulation that is reset drives the same
    way again, but much later.
    """
    first: dict[tuple[int, tuple[float, ...]], int] = {}
    keep = []
    for i, pair in enumerate(zip(stamps, rows)):
        if received[i] - received[first.setdefault(pair, i)] <= _AGAIN and first[pair] != i:
            continue
        first[pair] = i
        keep.append(i)
    return keep


@dataclass
class PoseRecords:
    """
    The poses of one topic, in the order of recording.

    :param is_fix: they are GPS fixes.
    :ivar clock: of the topic, once `track` was asked; its track is in the time of it.
    :ivar pose_times: stamps and when they were recorded of the poses in it, nanoseconds.
    :ivar notes: what `track` left out, for a person.
    """

    is_fix: bool = False
    clock: RecordingClock = field(default_factory=RecordingClock)
    pose_times: tuple[Sequence[int], Sequence[int]] = ((), ())
    notes: list[str] = field(default_factory=list)
    _stamps: list[int] = field(default_factory=list)
    _received: list[int] = field(default_factory=list)
    _rows: list[tuple[float, ...]] = field(default_factory=list)
    _lost: list[bool] = field(default_factory=list)

    def add(self, stamp: int, received: int, row: tuple[float, ...], lost: bool = False) -> None:
        """
        Add a pose.

        :param stamp: nanoseconds.
        :param received: when it was recorded, nanoseconds.
        :param row: x y z qx qy qz qw; of a fix latitude, longitude and altitude.
        :param lost: its message says that it is not known; see `pose.says_lost`.
        """
        self._stamps.append(stamp)
        self._received.append(received)
        self._rows.append(row)
        self._lost.append(lost)

    def track(self, origin: Origin | None = None) -> PoseTrack:
        """
        Return the track of all that are poses.

        :param origin: of the local frame of GPS fixes; None takes the first fix.
        :raises TrackError: there is none, or they are those of two robots.
        """
        if not self._rows:
            raise TrackError('it has no message that holds a pose')
        rows = np.array(self._rows, np.float64)
        reasons = self._why_no_fix(rows) if self.is_fix else self._why_no_pose(rows)
        keep = [i for i in without_repeats(self._stamps, self._received, self._rows)
                if not reasons[i]]
        self._note(reasons, bool(keep))
        self.pose_times = [self._stamps[i] for i in keep], [self._received[i] for i in keep]
        if len(keep) > _SOME and len(set(self.pose_times[0])) == 1:
            raise TrackError(f'the stamps of its {len(keep)} poses stand still at '
                             f'{self._stamps[keep[0]]} ns: record another source')
        self.clock = RecordingClock(*self.pose_times)
        stamps = [self.clock.convert(self._stamps[i], self._received[i]) for i in keep]
        there, notes = without_leaps(
            stamps, _rough_metres(rows[keep]) if self.is_fix else rows[keep, :3])
        self.notes += notes
        stamps, rows = [stamps[i] for i in there], rows[keep][there]
        if self.is_fix:
            return track_from_fixes(stamps, rows, origin)
        return PoseTrack(stamps, rows[:, :3], rows[:, 3:])

    def _why_no_pose(self, rows: NDArray[np.float64]) -> list[str]:
        """Tell why poses are none; a driver that never knows its covariance is believed."""
        lost = np.array(self._lost)
        nowhere = (rows[:, :6] == 0).all(axis=1)  # and no turn
        if lost.all():
            lost[:] = nowhere.all()
        return [reason or ('of an odometry that says it is lost' if gone else '')
                for reason, gone in zip(unsound(rows), lost.tolist())]

    def _why_no_fix(self, rows: NDArray[np.float64]) -> list[str]:
        def why(lost: bool, latitude: float, longitude: float) -> str:
            if lost:
                return 'whose receiver says that there is no fix'
            if latitude == longitude == 0:
                return 'at latitude and longitude 0'
            return '' if abs(latitude) <= 90 and abs(longitude) <= 360 else 'off the Earth'

        return [why(lost, *row[:2]) for lost, row in zip(self._lost, rows.tolist())]

    def _note(self, reasons: Sequence[str], any_left: bool) -> None:
        kind = 'GPS fixes' if self.is_fix else 'poses'
        told = [f'{count} of {len(reasons)} {kind} are left out, {reason}, the first at stamp '
                f'{self._stamps[list(reasons).index(reason)]} ns'
                for reason, count in Counter(reasons).items() if reason]
        if not any_left:
            none = 'there is no GPS fix: ' if self.is_fix else ''
            raise TrackError(f"{none}{'; '.join(told)}: name another source of poses, with "
                             '--pose-topic or --tf-frames')
        self.notes += told


def _rough_metres(fixes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where fixes lie, right to a few per cent."""
    latitude, longitude = np.radians([fixes[:, 0], without_leap(fixes[:, 1])])
    return _EARTH * np.stack([longitude * np.cos(latitude), latitude], axis=1)
