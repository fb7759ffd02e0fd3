# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Localisation of each frame by itself: nearest place, calibrated acceptance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization.covariance import candidate_covariance
from tetra_vpr_ros.localization.estimate import Candidate, Estimate
from tetra_vpr_ros.mapping.calibration import Calibration, DEFAULT_FALSE_MATCH_RATE, place_spacing
from tetra_vpr_ros.mapping.hamming_index import HammingIndex
from tetra_vpr_ros.mapping.place_map import PlaceMap
from tetra_vpr_ros.mapping.pose_track import Pose


class SingleFrameLocalizer:
    """
    Nearest place in the map, accepted by a calibrated distance.

    :param place_map: an open map; it is read here and not needed afterwards.
    :param false_match_rate: share of the pairs of different places that may be as near
        as an accepted match.
    :param candidates: how many places are returned.
    :param margin: candidates that are at most this share of all bits further away
        than the best count into the covariance.
    """

    def __init__(self, place_map: PlaceMap, false_match_rate: float = DEFAULT_FALSE_MATCH_RATE,
                 candidates: int = 10, margin: float = 0.02) -> None:
        """Load all places and index them."""
        meta = place_map.meta()
        self.table = place_map.places()
        self.bits = place_map.bits
        self.index = HammingIndex.build(self.table.ids, self.table.descriptors)
        stored = meta.get('calibration')
        self.calibration = Calibration.from_meta(stored) if stored else None
        self.false_match_rate = false_match_rate
        self.k = candidates
        self.margin = margin
        self._row = {int(place): row for row, place in enumerate(self.table.ids)}
        build = meta.get('build', {})
        self._angle = math.radians(float(build.get('keyframe_angle', 15.0)))
        self._spacing = max(place_spacing(self.table),
                            float(build.get('keyframe_distance', 0.5)))

    @property
    def threshold(self) -> int | None:
        """Return the largest accepted distance in bits; None for an uncalibrated map."""
        if self.calibration is None:
            return None
        return self.calibration.threshold(self.false_match_rate)

    def pose(self, place_id: int) -> Pose:
        """Return the pose of a place."""
        row = self._row[place_id]
        geodetic = self.table.geodetic[row]
        lat, lon, alt = (float(v) for v in geodetic)
        return Pose(self.table.positions[row], self.table.quaternions[row],
                    (lat, lon, alt) if np.isfinite(geodetic[:2]).all() else None)

    def locate(self, descriptor: NDArray[np.uint8]) -> Estimate:
        """
        Find the place of a descriptor.

        :param descriptor: uint8 ``[bits / 8]``.
        """
        distances, ids = self.index.search(descriptor[None], self.k)
        candidates = tuple(Candidate(int(i), int(d), self.pose(int(i)))
                           for d, i in zip(distances[0], ids[0]))
        if not candidates:
            return Estimate(-1, None, np.eye(6), self.bits, 0.0, 'the map is empty', ())
        best = candidates[0]
        rivals = [c.pose for c in candidates
                  if c.distance <= best.distance + self.margin * self.bits]
        covariance = candidate_covariance(best.pose, rivals, self._spacing, self._angle)
        return Estimate(best.place_id, best.pose, covariance, best.distance,
                        self._confidence(best.distance), self._rejection(best.distance),
                        candidates)

    def _confidence(self, distance: int) -> float:
        if self.calibration is None:
            return 0.0
        return 1.0 - self.calibration.chance(distance)

    def _rejection(self, distance: int) -> str:
        threshold = self.threshold
        if threshold is None:
            return 'the map is not calibrated'
        if distance > threshold:
            return (f'{distance} bits are more than the {threshold} accepted at a '
                    f'false-match rate of {self.false_match_rate:g}')
        return ''
