# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Localisation of each frame by itself: nearest place, calibrated acceptance."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization.covariance import ONE_PLACE, pose_covariance
from tetra_vpr_ros.localization.estimate import Candidate, Estimate
from tetra_vpr_ros.localization.mapped_places import MappedPlaces, UNCALIBRATED
from tetra_vpr_ros.localization.observation import View
from tetra_vpr_ros.localization.second_look import HEADING_DEVIATION, SecondLook
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
        than the best, after a second look of the tokens' bits, count into the covariance.
    :param camera_yaws: of each camera against that of the mapping run, radians.
    :param second_look: orders the candidates of frames with tokens; its map stays open.
    :raises MapError: the map is damaged, or was calibrated by another version.
    """

    def __init__(self, place_map: PlaceMap, false_match_rate: float = DEFAULT_FALSE_MATCH_RATE,
                 candidates: int = 10, margin: float = 0.02,
                 camera_yaws: Sequence[float] = (0.0,), second_look: SecondLook | None = None
                 ) -> None:
        """Load all places and index them."""
        self.places = MappedPlaces.load(place_map)
        self.table, self.calibration = self.places.table, self.places.calibration
        self.index = HammingIndex.build(self.table.ids, self.table.descriptors)
        self.false_match_rate = false_match_rate
        self.candidates = candidates
        self.margin = margin
        self.second_look = second_look
        self._yaws = tuple(camera_yaws)

    @property
    def threshold(self) -> int | None:
        """Return the largest accepted distance in bits; None for an uncalibrated map."""
        if self.calibration is None:
            return None
        return self.calibration.threshold(self.false_match_rate)

    def locate(self, views: Sequence[View], stamp_ns: int, odometry: Pose | None = None
               ) -> Estimate:
        """Return the match of the view that is most alike; see `Localizer.locate`."""
        found = [self.match(view.descriptor, view.camera, view.tokens) for view in views]
        if all(math.isnan(estimate.score) for estimate in found):
            return min(found, key=lambda estimate: estimate.distance)
        return max(found, key=lambda estimate: np.nan_to_num(estimate.score))

    def reset(self) -> None:
        """Do nothing: no frame is remembered."""

    def set_prior(self, pose: Pose, covariance: NDArray[np.float64]) -> None:
        """Do nothing: no belief is kept."""

    def match(self, descriptor: NDArray[np.uint8], camera: int = 0,
              tokens: NDArray[np.uint8] | None = None) -> Estimate:
        """
        Find the place of a descriptor.

        :param descriptor: uint8 ``[bits / 8]``.
        :param camera: index of the camera.
        :param tokens: of the frame, for the second look.
        """
        candidates = self._candidates(descriptor, camera, tokens)
        if not candidates:
            return Estimate(-1, None, np.eye(6), self.places.bits, 0.0, 'the map is empty', ())
        best = candidates[0]
        rivals = [c.pose for c in candidates if self._rivals(best, c)]
        covariance = pose_covariance(
            best.pose, np.array([pose.position for pose in rivals]),
            np.array([pose.quaternion for pose in rivals]), np.ones(len(rivals)),
            self._floor(best, camera))
        rejection = self._rejection(best.distance)
        return Estimate(best.place_id, best.pose, covariance, best.distance,
                        self._confidence(best.distance), rejection, candidates,
                        bool(rejection) and self.calibration is not None)

    def _candidates(self, descriptor: NDArray[np.uint8], camera: int,
                    tokens: NDArray[np.uint8] | None) -> tuple[Candidate, ...]:
        """Return the nearest places, those that were looked at again first, by their scores."""
        look = self.second_look if tokens is not None else None
        count = max(self.candidates, look.count if look else 0)
        distances, ids = self.index.search(descriptor[None], count)
        rows, yaw = np.searchsorted(self.table.ids, ids[0]), self._yaws[camera]
        found = [Candidate(int(i), int(d), self.places.pose(int(row), yaw))
                 for d, i, row in zip(distances[0], ids[0], rows)]
        if look is not None and tokens is not None:
            found = look.ordered(found, tokens, camera)
        return tuple(found[:self.candidates])

    def _floor(self, best: Candidate, camera: int) -> NDArray[np.float64]:
        """Return what stays unknown of the pose of one place, ``[6, 6]``."""
        floor = ONE_PLACE * self.places.floor
        if (not math.isnan(best.score) and self.second_look is not None
                and self.second_look.sees_heading(camera)):
            floor[5, 5] = min(floor[5, 5], HEADING_DEVIATION ** 2)
        return floor

    def _rivals(self, best: Candidate, other: Candidate) -> bool:
        """Tell whether a candidate may be the place as well as the best."""
        if math.isnan(best.score):
            return other.distance <= best.distance + self.margin * self.places.bits
        return other.score >= best.score - self.margin

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
