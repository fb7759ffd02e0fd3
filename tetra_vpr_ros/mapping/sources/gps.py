# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""GPS fixes to a track of local metres."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.pose import FARTHEST, level_quaternion, Pose
from tetra_vpr_ros.mapping.sources.pose_track import Origin, PoseTrack, TrackError

_MOST = (90.0, 360.0, FARTHEST)  # degrees, degrees, metres


def track_from_fixes(stamps: Sequence[int], geodetic: NDArray[np.float64],
                     origin: Origin | None = None) -> PoseTrack:
    """
    Turn GPS fixes into a track of local east-north-up metres.

    A fix has no heading: the direction of travel stands for it, held while the
    robot moves less than a metre.

    :param stamps: nanoseconds, ``[n]``.
    :param geodetic: latitude, longitude (degrees, WGS84) and altitude (metres), ``[n, 3]``.
    :param origin: of the local frame; None takes the first fix.
    :returns: the track, which knows its origin.
    :raises TrackError: there is no fix, or one lies off the Earth.
    """
    if not len(stamps):
        raise TrackError('there is no GPS fix')
    geodetic = np.asarray(geodetic, np.float64).copy()
    _complete_altitudes(np.asarray(stamps), geodetic, origin[2] if origin else 0.0)
    off = ~(np.abs(geodetic) <= _MOST).all(axis=1)  # also where one is not finite
    if off.any():
        first_off = int(np.argmax(off))
        raise TrackError(f'{int(off.sum())} of {len(stamps)} GPS fixes lie off the Earth, the '
                         f'first at stamp {stamps[first_off]} ns: latitude and longitude '
                         f'{geodetic[first_off, 0]:g}, {geodetic[first_off, 1]:g}')
    if origin is None:
        latitude, longitude, altitude = (float(value) for value in geodetic[0])
        origin = latitude, longitude, altitude
    to_enu = Transformer.from_pipeline(
        '+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad '
        f'+step +proj=cart +ellps=WGS84 +step {_topocentric(origin)}')
    positions = np.stack(
        to_enu.transform(geodetic[:, 1], geodetic[:, 0], geodetic[:, 2]), axis=1)
    order = np.argsort(np.asarray(stamps), kind='stable')
    yaw = np.zeros(len(positions))
    anchor, heading, first = positions[order[0]], 0.0, 0
    moved = False
    for count, i in enumerate(order):
        step = positions[i] - anchor
        if np.hypot(step[0], step[1]) >= 1.0:
            heading, anchor = math.atan2(step[1], step[0]), positions[i]
            if not moved:  # the first metre was driven in the heading it showed
                yaw[order[first:count]] = heading
                moved = True
        yaw[i] = heading
    return PoseTrack(stamps, positions, level_quaternion(yaw), geodetic, origin)


def pose_of_frame(origin: Origin, frame: Origin) -> Pose:
    """
    Return how the local frame of one origin lies in that of another.

    :param origin: of the frame that is asked about.
    :param frame: of the frame in which it is told.
    """
    between = Transformer.from_pipeline(
        f'+proj=pipeline +step +inv {_topocentric(origin)} +step {_topocentric(frame)}')
    corners = np.stack(between.transform(*np.vstack([np.zeros(3), np.eye(3)]).T), axis=1)
    axes = Rotation.from_matrix((corners[1:] - corners[0]).T)
    return Pose(corners[0], axes.as_quat())


def _topocentric(origin: Origin) -> str:
    """Return the step of a PROJ pipeline from geocentric to local coordinates."""
    latitude, longitude, altitude = origin
    return (f'+proj=topocentric +ellps=WGS84 +lon_0={longitude!r} +lat_0={latitude!r} '
            f'+h_0={altitude!r}')


def _complete_altitudes(stamps: NDArray[np.int64], geodetic: NDArray[np.float64],
                        unknown: float) -> None:
    """Give fixes without altitude, as many receivers make them, that of those beside them."""
    known = np.isfinite(geodetic[:, 2])
    if not known.any():
        geodetic[:, 2] = unknown
        return
    seconds = (stamps - stamps[0]) * 1e-9
    order = np.argsort(seconds[known], kind='stable')
    geodetic[~known, 2] = np.interp(
        seconds[~known], seconds[known][order], geodetic[known, 2][order])
