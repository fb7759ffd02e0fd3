# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses over time, interpolated in between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.pose import FARTHEST, longitude, Pose, without_leap

Origin = tuple[float, float, float]
"""Latitude and longitude (degrees) and altitude (metres) of a local frame of GPS positions."""

LATEST = 2**62
"""Nanoseconds beyond which no stamp lies: in the year 2116, and a map holds twice as many."""

_SHORTEST_GAP, _LONGEST_GAP = 500_000_000, 5_000_000_000  # nanoseconds
_PERIODS = 2.5  # one pose in a row may be missing
_STEP = 0.02   # metres: shorter steps say nothing of the way, and are put together
_ALONG = 0.8   # of a step, along an axis, for the way to be along it


class TrackError(ValueError):
    """Poses that do not make a track; the text says which and why."""


def usual_gap(stamps: NDArray[np.int64]) -> int:
    """
    Return how far apart two poses may be to be interpolated, as their rate suggests.

    Half a second; more where they come more rarely, as GPS fixes do.

    :param stamps: nanoseconds, ascending.
    """
    if len(stamps) < 2:
        return _SHORTEST_GAP
    period = float(np.median(np.diff(stamps)))
    return int(min(max(_PERIODS * period, _SHORTEST_GAP), _LONGEST_GAP))


def moves_along_z(positions: NDArray[np.float64], quaternions: NDArray[np.float64]) -> bool:
    """
    Tell whether the way is along z of the poses, as a camera's whose x is to its right.

    :param positions: ``[n, 3]``, in their order.
    :param quaternions: ``[n, 4]``.
    """
    if len(positions) < 2:
        return False
    travelled = np.append(0.0, np.linalg.norm(np.diff(positions, axis=0), axis=1).cumsum())
    _, keep = np.unique(np.floor(travelled / _STEP), return_index=True)
    steps = np.diff(positions[keep], axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    moved = lengths > _STEP / 2
    if not moved.any():
        return False
    own = Rotation.from_quat(quaternions[keep[:-1][moved]]).apply(steps[moved], inverse=True)
    return bool(np.median(own[:, 2] / lengths[moved]) > _ALONG)


class PoseTrack:
    """
    Poses in the order of their stamps, interpolated in between.

    :param stamps: nanoseconds, int64 ``[n]``, any order; of equal stamps the last wins.
    :param positions: ``[n, 3]`` metres.
    :param quaternions: ``[n, 4]`` x y z w; normalised here.
    :param geodetic: ``[n, 3]`` latitude, longitude, altitude, or None.
    :param origin: latitude, longitude and altitude of the local frame, or None.
    :raises TrackError: no pose, a number that is not finite, or out of this world, or a zero
        quaternion.
    """

    def __init__(self, stamps: Sequence[int] | NDArray[np.int64],
                 positions: NDArray[np.float64], quaternions: NDArray[np.float64],
                 geodetic: NDArray[np.float64] | None = None,
                 origin: Origin | None = None) -> None:
        """Sort and check."""
        self.origin = origin
        times = np.asarray(stamps, np.int64)
        if not len(times):
            raise TrackError('the track has no pose')
        positions = np.asarray(positions, np.float64).reshape(-1, 3)
        quaternions = np.asarray(quaternions, np.float64).reshape(-1, 4)
        with np.errstate(over='ignore'):
            norms = np.linalg.norm(quaternions, axis=1)
        bad = ~((np.abs(positions) <= FARTHEST).all(1) & np.isfinite(norms) & (norms > 1e-6))
        if bad.any():
            raise TrackError(
                f'{int(bad.sum())} of {len(times)} poses are not finite, off the Earth or have a '
                f'zero quaternion, the first at stamp {times[np.argmax(bad)]} ns')
        order = np.argsort(times, kind='stable')
        # A stable sort leaves the latest message of a stamp last: keep that.
        keep = order[np.append(np.diff(times[order]) > 0, True)]
        self.stamps = times[keep]
        self.positions = positions[keep]
        self.quaternions = quaternions[keep] / norms[keep, None]
        self.geodetic = None if geodetic is None else np.array(geodetic, np.float64)[keep]
        if self.geodetic is not None:
            self.geodetic[:, 1] = without_leap(self.geodetic[:, 1])

    def __len__(self) -> int:
        """Return the number of poses."""
        return len(self.stamps)

    def at(self, stamp: int, max_gap: int) -> Pose | None:
        """
        Interpolate: linear in position, spherical in rotation.

        :param stamp: nanoseconds.
        :param max_gap: nanoseconds; between two poses further apart nothing is
            guessed. Never extrapolates.
        :returns: the pose, or None where the track has none.
        """
        now = np.array([stamp], np.int64)
        positions, rotations, known = self.sample(now, max_gap)
        if not known[0]:
            return None
        geodetic = (None if self.geodetic is None
                    else _mixed(self.geodetic, *self._around(now, max_gap))[0])
        return Pose(positions[0], rotations.as_quat()[0],
                    None if geodetic is None else _triple(geodetic))

    def sample(self, stamps: NDArray[np.int64], max_gap: int, hold: bool = False
               ) -> tuple[NDArray[np.float64], Rotation, NDArray[np.bool_]]:
        """
        Interpolate at many stamps.

        :param stamps: nanoseconds, ``[n]``.
        :param max_gap: as in `at`.
        :param hold: a pose stands for the gap after it that is too long, and for the end.
        :returns: positions ``[n, 3]``, rotations, and where there are any, bool ``[n]``.
        """
        before, after, share = self._around(stamps, max_gap)
        first = Rotation.from_quat(self.quaternions[before])
        turn = (first.inv() * Rotation.from_quat(self.quaternions[after])).as_rotvec()
        passed = stamps - self.stamps[before]
        known = (passed == 0) | (share > 0) | (hold & (passed > 0))
        return (_mixed(self.positions, before, after, share),
                first * Rotation.from_rotvec(share[:, None] * turn), np.asarray(known))

    def _around(self, stamps: NDArray[np.int64], max_gap: int
                ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """
        Return the poses before and after each stamp, and how far it is from one to the other.

        :returns: indices ``[n]`` twice and shares 0..1, 0 where nothing is interpolated.
        """
        last = len(self.stamps) - 1
        following = np.searchsorted(self.stamps, stamps, side='right')
        before, after = np.clip(following - 1, 0, last), np.clip(following, 0, last)
        span, passed = self.stamps[after] - self.stamps[before], stamps - self.stamps[before]
        between = (passed > 0) & (span > 0) & (span <= max_gap)
        return before, after, np.where(between, passed / np.maximum(span, 1), 0.0)

    def spans(self, stamp: int) -> bool:
        """Tell whether a stamp lies between the first pose and the last."""
        return bool(self.stamps[0] <= stamp <= self.stamps[-1])

    def why_none(self, stamp: int, max_gap: int) -> str:
        """Return why there is no pose at a stamp, for a person; see `at`."""
        after = int(np.searchsorted(self.stamps, stamp))
        if after == 0:
            return f'before the first pose, at {self.stamps[0] / 1e9:.3f} s'
        if after == len(self.stamps):
            return f'after the last pose, at {self.stamps[-1] / 1e9:.3f} s'
        span = int(self.stamps[after] - self.stamps[after - 1])
        return (f'between two poses {span / 1e9:.3g} s apart, where at most {max_gap / 1e9:.3g} s '
                'are interpolated (--max-pose-gap)')


def _mixed(values: NDArray[np.float64], before: NDArray[np.int64], after: NDArray[np.int64],
           share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate values of the poses, ``[n, 3]``, linearly; see `PoseTrack._around`."""
    return np.asarray((1 - share[:, None]) * values[before] + share[:, None] * values[after])


def _triple(row: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(row[0]), longitude(float(row[1])), float(row[2])
