# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Localisation of each frame by itself: nearest place, calibrated acceptance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import math

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization.covariance import ONE_PLACE, pose_covariance
from tetra_vpr_ros.localization.estimate import Candidate, Estimate
from tetra_vpr_ros.localization.mapped_places import (
    MappedPlaces, RADIUS, required_belief, UNCALIBRATED)
from tetra_vpr_ros.localization.observation import View
from tetra_vpr_ros.localization.second_look import HEADING_DEVIATION, SecondLook
from tetra_vpr_ros.localization.second_look.token_evidence import Seen, TokenEvidence
from tetra_vpr_ros.mapping.calibration import DEFAULT_FALSE_MATCH_RATE, SAME_WAY
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances, nearest_rows
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.pose import Pose


class SingleFrameLocalizer:
    """
    Nearest place in the map, accepted by a calibrated distance.

    With a second look it is the likeliest of the nearest places, accepted where hardly any
    picture of a foreign world looks as much like the map and no place elsewhere is as likely.

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
        self.false_match_rate = false_match_rate
        self.candidates = candidates
        self.margin = margin
        self.second_look = second_look
        self._evidence = TokenEvidence.of(second_look, self.places)
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

    def believed(self) -> None:
        """Return nothing: no belief is kept."""

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
        if not len(self.table):
            return Estimate(-1, None, np.eye(6), self.places.bits, 0.0, 'the map is empty', ())
        distances = hamming_distances(descriptor[None], self.table.descriptors)[0]
        if self._evidence is not None:
            seen = self._evidence.see(tokens, distances)
            if seen is not None:
                return self._most_alike(seen, self._evidence, distances, camera)
        return self._nearest(distances, camera)

    def preferring(self, estimate: Estimate, candidate: Candidate) -> Estimate:
        """
        Return what is said of a frame when another of its candidates is taken for its place.

        :param estimate: of the frame; that the map may not hold its place still stands.
        :param candidate: one of ``estimate.candidates``, which keep their order.
        """
        if math.isnan(candidate.score):
            return self._by_distance(candidate, estimate.candidates)
        former = estimate.candidates[0]
        sure = estimate.confidence / self._mass_about(former, estimate.candidates)
        heading_seen = any(other.turn for other in estimate.candidates)
        return self._by_tokens(candidate, estimate.candidates, sure,
                               estimate.rejection if estimate.unknown else '', heading_seen)

    def _nearest(self, distances: NDArray[np.int32], camera: int) -> Estimate:
        """Return the nearest place, accepted by its distance."""
        rows = nearest_rows(distances, self.candidates)
        candidates = tuple(self._candidate(int(row), distances, camera) for row in rows)
        return self._by_distance(candidates[0], candidates)

    def _by_distance(self, best: Candidate, candidates: tuple[Candidate, ...]) -> Estimate:
        rivals = [c.pose for c in candidates
                  if c.distance <= best.distance + self.margin * self.places.bits]
        rejection = self._rejection(best.distance)
        return Estimate(best.place_id, best.pose, self._covariance(best.pose, rivals),
                        best.distance, self._confidence(best.distance), rejection, candidates,
                        bool(rejection) and self.calibration is not None)

    def _most_alike(self, seen: Seen, evidence: TokenEvidence, distances: NDArray[np.int32],
                    camera: int) -> Estimate:
        """Return the likeliest of the places that were looked at, accepted by its tokens."""
        look = evidence.look
        order = np.lexsort((seen.rows, -seen.shares))
        found = []
        for at in order:
            turn = look.turn(float(seen.looks.columns[at]), camera)
            found.append(self._candidate(int(seen.rows[at]), distances, camera, turn or 0.0,
                                         float(seen.shares[at]), float(seen.looks.scores[at])))
        estimate = self._by_tokens(
            found[0], tuple(found), 1.0 - look.model.foreign_share(seen.of_the_map),
            evidence.foreign(seen.of_the_map, self.false_match_rate), look.sees_heading(camera))
        return replace(estimate, candidates=estimate.candidates[:self.candidates])

    def _by_tokens(self, best: Candidate, found: tuple[Candidate, ...], sure: float, foreign: str,
                   heading_seen: bool) -> Estimate:
        """
        Return a place that was looked at.

        :param best: that place.
        :param found: all of them.
        :param sure: how likely the map holds the place of the frame.
        :param foreign: why it seems not to; empty where it does.
        :param heading_seen: the second look measured how the robot is turned.
        """
        here, required = self._mass_about(best, found), required_belief(self.false_match_rate)
        deviation = self.places.deviation(best.score)
        rejection = foreign
        if not foreign and here < required:
            rejection = (f'ambiguous: {here:.1%} speak for place {best.place_id}, {required:.1%} '
                         'are needed')
        rejection = rejection or self.places.off(deviation, RADIUS * self.places.resolution)
        rivals = [c.pose for c in found if self._agree(best.pose, c.pose)
                  and c.score >= best.score - self.margin]
        return Estimate(best.place_id, best.pose,
                        self._covariance(best.pose, rivals, heading_seen, deviation),
                        best.distance, sure * here, rejection, found, bool(foreign))

    def _mass_about(self, best: Candidate, found: Sequence[Candidate]) -> float:
        return sum(c.mass for c in found if self._agree(best.pose, c.pose))

    def _candidate(self, row: int, distances: NDArray[np.int32], camera: int, turn: float = 0.0,
                   mass: float = 0.0, score: float = math.nan) -> Candidate:
        pose = self.places.pose(row, self._yaws[camera] - turn)
        return Candidate(int(self.table.ids[row]), int(distances[row]), pose, mass, score, turn)

    def _agree(self, pose: Pose, other: Pose) -> bool:
        """Tell whether two poses are about the same."""
        return (pose.distance_to(other) <= RADIUS * self.places.resolution
                and abs(float(pose.quaternion @ other.quaternion)) >= SAME_WAY)

    def _covariance(self, centre: Pose, rivals: Sequence[Pose], heading_seen: bool = False,
                    deviation: float | None = None) -> NDArray[np.float64]:
        floor = np.maximum(ONE_PLACE * self.places.floor, self.places.uncertainty(deviation))
        if heading_seen:
            floor[5, 5] = min(floor[5, 5], HEADING_DEVIATION**2)
        return pose_covariance(
            centre, np.array([pose.position for pose in rivals]),
            np.array([pose.quaternion for pose in rivals]), np.ones(len(rivals)),
            floor)

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
