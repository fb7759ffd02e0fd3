# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The places of a map as the localizers need them."""

from __future__ import annotations

from dataclasses import dataclass, replace
import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization.covariance import covariance_floor
from tetra_vpr_ros.mapping.calibration import (
    Calibration, CHI2_95, load_calibration, load_position_errors, place_spacing, PositionErrors)
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.mapping.pose import longitude, Pose, without_leap

RADIUS = 4.0
"""Places about the best one that count as agreeing with it, see `MappedPlaces.resolution`."""

_EARTH = 6_371_000.0  # metres
_POLE = 1e-6          # cosine of the latitude, nearer to which no longitude tells anything

_RADIUS_95 = math.sqrt(CHI2_95)

UNCALIBRATED = 'the map is not calibrated'


def required_belief(false_match_rate: float) -> float:
    """
    Return the probability about a pose above which it is accepted.

    :param false_match_rate: share of wrong matches that is allowed, 0..1.
    """
    return 1.0 - math.sqrt(false_match_rate)


@dataclass(frozen=True)
class MappedPlaces:
    """
    What is read of a map once; the file is not needed afterwards.

    :ivar table: all places.
    :ivar bits: length of a descriptor.
    :ivar calibration: None for a map that has none.
    :ivar spacing: metres between places, positive.
    :ivar angle: radians between places, positive.
    :ivar errors: how far off its matches are; None where the map cannot tell.
    """

    table: PlaceTable
    bits: int
    calibration: Calibration | None
    spacing: float
    angle: float
    errors: PositionErrors | None = None

    @classmethod
    def load(cls, place_map: PlaceMap) -> MappedPlaces:
        """
        Read an open map.

        :raises MapError: it is damaged, or was calibrated by another version.
        """
        table = place_map.places()
        built = place_map.keyframes
        calibration = load_calibration(place_map)
        spacing = calibration.spacing if calibration else place_spacing(table)
        return cls(table, place_map.bits, calibration,
                   max(spacing, built.get('keyframe_distance', 0.5), 0.1),
                   min(max(math.radians(built.get('keyframe_angle', 15.0)), 0.02), math.pi),
                   load_position_errors(place_map))

    def pose(self, row: int, yaw: float = 0.0) -> Pose:
        """
        Return the robot's pose where a camera sees a place.

        :param row: of the place in the table.
        :param yaw: of the camera on the robot against that of the mapping run, radians.
        """
        pose = self.table.pose(row)
        if not yaw:
            return pose
        return replace(pose, quaternion=turned(pose.quaternion[None], -yaw)[0])

    def geodetic_mean(self, rows: NDArray[np.int64], weights: NDArray[np.float64],
                      moved: NDArray[np.float64]) -> tuple[float, float, float] | None:
        """
        Return latitude, longitude and altitude of a robot, if those of all places are known.

        :param rows: of the places that it is about.
        :param weights: of these.
        :param moved: how far it is from their mean, metres east, north and up, ``[3]``. A few
            metres: the Earth is a sphere to them.
        """
        geodetic = self.table.geodetic[rows]
        if not np.isfinite(geodetic[:, :2]).all():
            return None
        beside = np.column_stack([
            geodetic[:, 0], without_leap(geodetic[:, 1]), geodetic[:, 2]])
        lat, lon, alt = (float(v) for v in weights @ beside / weights.sum())
        east, north, up = (float(v) for v in moved)
        lon += math.degrees(east / (_EARTH * max(math.cos(math.radians(lat)), _POLE)))
        lat = min(max(lat + math.degrees(north / _EARTH), -90.0), 90.0)
        return lat, longitude(lon), alt + up

    @property
    def resolution(self) -> float:
        """Return how far apart places must be to be told apart, metres."""
        return self.spacing if self.errors is None else max(self.spacing, self.errors.typical)

    def deviation(self, score: float | None) -> float | None:
        """
        Return how far off a match is, as the map has learned of its own, metres along an axis.

        :param score: of the tokens of frame and place; None where none was looked at.
        :returns: None where the map does not know.
        """
        if self.errors is None:
            return None
        return self.errors.most if score is None else self.errors.deviation(score)

    def off(self, deviation: float | None, radius: float) -> str:
        """
        Say why a match may be too far off.

        :param deviation: see `deviation`.
        :param radius: metres that it may be off.
        :returns: empty where 95 % of the matches like it are nearer.
        """
        if deviation is None or _RADIUS_95 * deviation <= radius:
            return ''
        return (f'not clear enough: matches like it are up to {_RADIUS_95 * deviation:.1f} m off, '
                f'{radius:.1f} m are accepted')

    def uncertainty(self, deviation: float | None) -> NDArray[np.float64]:
        """Return the floor of the covariance of a match that is so far off, ``[6, 6]``."""
        floor = self.floor
        if deviation is not None:
            floor[:3, :3] = np.maximum(floor[:3, :3], np.eye(3) * deviation**2)
        return floor

    @property
    def floor(self) -> NDArray[np.float64]:
        """Return the covariance below which no estimate goes, ``[6, 6]``."""
        return covariance_floor(self.spacing, self.angle)


def turned(quaternions: NDArray[np.float64], yaw: float) -> NDArray[np.float64]:
    """
    Turn poses about their own vertical axis.

    :param quaternions: x y z w, ``[n, 4]``.
    :param yaw: radians, counter-clockwise.
    """
    rotation = Rotation.from_quat(quaternions) * Rotation.from_euler('z', yaw)
    return np.asarray(rotation.as_quat())
