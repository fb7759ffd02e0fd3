# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses that leap: an accident, an odometry that was reset, or two robots on one topic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.sources.pose_track import TrackError

_FASTEST = 100.0  # metres a second: no robot, but the way from one to another
_LEAP = 1.0       # metres
_TORN, _SOME = 0.1, 5  # share and number of leaps that are no accident
_AWAY = 2.0       # seconds after which poses that leapt do not come back


def without_leaps(stamps: Sequence[int], positions: NDArray[np.float64]
                  ) -> tuple[NDArray[np.intp], list[str]]:
    """
    Leave out poses that leap away and back.

    :param stamps: nanoseconds, in the order of recording.
    :param positions: ``[n, 3]`` metres.
    :returns: the indices of the others in their order, and what a person should know.
    :raises TrackError: they leap all the time: they are those of two robots or two estimates.
    """
    times = np.asarray(stamps, np.int64)
    order = np.argsort(times, kind='stable')
    seconds, places = (times[order] - times[order[:1]]) * 1e-9, positions[order]

    def leapt(one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.bool_]:
        metres = np.linalg.norm(places[other] - places[one], axis=-1)
        return np.asarray((metres > _LEAP) & (metres > _FASTEST * (
            seconds[other] - seconds[one])))

    before = np.arange(len(order) - 1)
    leaps = np.flatnonzero(leapt(before, before + 1))
    if len(leaps) >= _SOME and len(leaps) > _TORN * len(order):
        metres = np.median(np.linalg.norm(places[leaps + 1] - places[leaps], axis=1))
        raise TrackError(
            f'its poses leap by {metres:.3g} m back and forth, {len(leaps)} times in '
            f'{len(order)} poses: two robots or two estimates share it; record one of them, or '
            'name another source')
    away, stays, at = np.zeros(len(order), bool), [], 0
    while at < len(leaps):
        left = leaps[at]
        soon = leaps[at + 1:np.searchsorted(seconds, seconds[left] + _AWAY, 'right')]
        soon = soon[seconds[soon + 1] - seconds[left] <= _AWAY]
        back = soon[~leapt(np.full(len(soon), left), soon + 1)][:1]
        if len(back):
            away[left + 1:back[0] + 1] = True
            at = int(np.searchsorted(leaps, back[0], 'right'))
            continue
        if at == 0 and seconds[left] <= _AWAY and left < _TORN * len(order):
            away[:left + 1] = True  # an estimate that had not settled yet
        else:
            stays.append(order[left + 1])
        at += 1
    notes = []
    if away.any():
        notes.append(f'{int(away.sum())} of {len(order)} poses are left out, they leap away '
                     f'and back, the first at stamp {times[order[np.argmax(away)]]} ns')
    if stays:
        notes.append(f'its poses leap {len(stays)} times for good, the first at stamp '
                     f'{times[stays[0]]} ns: where that was a reset of odometry, what was '
                     'mapped before and after does not fit together')
    return np.sort(order[~away]), notes
