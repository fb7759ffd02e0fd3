# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Localisation of each frame by itself: nearest place, calibrated acceptance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization.covariance import ONE_PLACE, pose_covariance
from tetra_vpr_ros.localization.estimate import Candidate, Estimate
from tetra_vpr_ros.localization.mapped_places import MappedPlaces, UNCALIBRATED
from tetra_vpr_ros.localization.observation import View
from tetra_vpr_ros.mapping.calibration import DEFAULT_FALSE_MATCH_RATE
from tetra_vpr_ros.mapping.map.hamming_index import HammingIndex
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.pose import Pose


class SingleFrameLocalizer:
    """
    Nearest place in the map, accepted by a calibrated distance.

    :param place_map: an open map; it is read here and not needed afterwards.
    :param false_match_rate: share of the pairs of different places that may be as near
        as an accepted match.
    :param candidates: how many places are returned.
    :param margin: candidates that are at most this share of all bits further away
        than the best count into the covariance.
    :param camera_yaws: of each camera against that of the mapping run, radians.
    :raises MapError: the map is damaged, or was calibrated by another version.
    """

    def __init__(self, place_map: PlaceMap, false_match_rate: float = DEFAULT_FALSE_MATCH_RATE,
                 candidates: int = 10, margin: float = 0.02,
                 camera_yaws: Sequence[float] = (0.0,)) -> None:
        """Load all places and index them."""
        self.places = MappedPlaces.load(place_map)
        self.table, self.calibration = self.places.table, self.places.calibration
        self.index = HammingIndex.build(self.table.ids, self.table.descriptors)
        self.false_match_rate = false_match_rate
        self.candidates = candidates
        self.margin = margin
        self._yaws = tuple(camera_yaws)

    @property
    def threshold(self) -> int | None:
        """Return the largest accepted distance in bits; None for an uncalibrated map."""
        if self.calibration is None:
            return None
        return self.calibration.threshold(self.false_match_rate)

    def locate(self, views: Sequence[View], stamp_ns: int, odometry: Pose | None = None
               ) -> Estimate:
        """Return the match of the view that comes nearest; see `Localizer.locate`."""
        return min((self.match(view.descriptor, view.camera) for view in views),
                   key=lambda estimate: estimate.distance)

    def reset(self) -> None:
        """Do nothing: no frame is remembered."""

    def set_prior(self, pose: Pose, covariance: NDArray[np.float64]) -> None:
        """Do nothing: no belief is kept."""

    def match(self, descriptor: NDArray[np.uint8], camera: int = 0) -> Estimate:
        """
        Find the place of a descriptor.

        :param descriptor: uint8 ``[bits / 8]``.
        :param camera: index of the camera.
        """
        bits, yaw = self.places.bits, self._yaws[camera]
        distances, ids = self.index.search(descriptor[None], self.candidates)
        rows = np.searchsorted(self.table.ids, ids[0])
        candidates = tuple(Candidate(int(i), int(d), self.places.pose(int(row), yaw))
                           for d, i, row in zip(distances[0], ids[0], rows))
        if not candidates:
            return Estimate(-1, None, np.eye(6), bits, 0.0, 'the map is empty', ())
        best = candidates[0]
        rivals = [c.pose for c in candidates if c.distance <= best.distance + self.margin * bits]
        covariance = pose_covariance(
            best.pose, np.array([pose.position for pose in rivals]),
            np.array([pose.quaternion for pose in rivals]), np.ones(len(rivals)),
            ONE_PLACE * self.places.floor)
        rejection = self._rejection(best.distance)
        return Estimate(best.place_id, best.pose, covariance, best.distance,
                        self._confidence(best.distance), rejection, candidates,
                        bool(rejection) and self.calibration is not None)

    def _confidence(self, distance: int) -> float:
        if self.calibration is None:
            return 0.0
        return 1.0 - self.calibration.chance(distance)

    def _rejection(self, distance: int) -> str:
        threshold = self.threshold
        if threshold is None:
            return UNCALIBRATED
        if distance > threshold:
            return (f'{distance} bits are more than the {threshold} accepted at a '
                    f'false-match rate of {self.false_match_rate:g}')
        return ''
