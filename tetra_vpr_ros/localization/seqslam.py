# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Localisation by sequences, after SeqSLAM.

M. Milford, G. Wyeth, "SeqSLAM: Visual Route-Based Navigation for Sunny Summer
Days and Stormy Winter Nights", ICRA 2012: the last views are compared with
stretches of the map, driven at several speeds. A view is kept when it is new,
so that a stretch has as many places as the sequence has views.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization.belief.gate import PlausibilityGate
from tetra_vpr_ros.localization.covariance import ONE_PLACE, pose_covariance
from tetra_vpr_ros.localization.estimate import Candidate, Estimate
from tetra_vpr_ros.localization.mapped_places import MappedPlaces, UNCALIBRATED
from tetra_vpr_ros.localization.observation import View
from tetra_vpr_ros.localization.second_look import SecondLook
from tetra_vpr_ros.localization.second_look.token_evidence import TokenEvidence
from tetra_vpr_ros.mapping.calibration import DEFAULT_FALSE_MATCH_RATE, FAR, standing_out
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.pose import Pose

_SPEEDS = (0.5, 0.75, 1.0, 1.25, 1.5)
_NEW_VIEW = 0.7    # share of the map's step in bits from which a view is kept
_MISSING = -1.0    # score where a stretch would begin before its traverse does
_SAMPLES = 200     # stretches of the map that are asked for wrong matches


class SequenceLocalizer:
    """
    Best stretch of the map for the last views.

    :param place_map: an open map; it is read here and not needed afterwards.
    :param false_match_rate: share of wrong matches allowed.
    :param candidates: how many places are returned.
    :param length: views in a sequence.
    :param camera_yaws: of each camera; sequences are those of the first camera that sees.
    :param max_speed: of the robot in metres a second, for the plausibility gate.
    :param second_look: tells frames with tokens from foreign worlds; its map stays open.
    :raises MapError: the map is damaged, or was calibrated by another version.
    """

    def __init__(self, place_map: PlaceMap, false_match_rate: float = DEFAULT_FALSE_MATCH_RATE,
                 candidates: int = 10, length: int = 10,
                 camera_yaws: Sequence[float] = (0.0,), max_speed: float = 2.0,
                 second_look: SecondLook | None = None) -> None:
        """Load all places and learn how well wrong stretches match."""
        self.places = MappedPlaces.load(place_map)
        self.table, self.calibration = self.places.table, self.places.calibration
        self.false_match_rate = false_match_rate
        self.candidates = candidates
        self._length = length
        self._yaws = tuple(camera_yaws)
        self.second_look = second_look
        self._evidence = TokenEvidence.of(second_look, self.places)
        self._gate = PlausibilityGate(6.0 * self.places.spacing, max_speed)
        sessions = self.table.sessions
        first = np.concatenate([[0], np.flatnonzero(np.diff(sessions)) + 1])
        self._since_start = np.arange(len(sessions)) - first[
            np.searchsorted(first, np.arange(len(sessions)), side='right') - 1]
        self._wrong = self._wrong_scores() if len(self.table) else np.empty(0)
        self.reset()

    def _wrong_scores(self) -> NDArray[np.float64]:
        """Return the best scores that stretches of the map get elsewhere on it, ascending."""
        whole = np.flatnonzero(self._since_start >= self._length - 1)
        ends = whole[np.linspace(0, len(whole) - 1, min(_SAMPLES, len(whole))).astype(int)]
        best = []
        for end in ends:
            rows = self.table.descriptors[end - self._length + 1:end + 1]
            apart = np.linalg.norm(self.table.positions - self.table.positions[end],
                                   axis=1) > FAR * self.places.spacing
            if apart.any():
                scores = self._stretches(standing_out(
                    hamming_distances(rows, self.table.descriptors)))
                best.append(float(scores[apart].max()))
        return np.sort(best)

    def believed(self) -> None:
        """Return nothing: no belief is kept."""

    def reset(self) -> None:
        """Forget what was seen."""
        self._rows: deque[NDArray[np.float32]] = deque(maxlen=self._length)
        self._ratios: deque[float] = deque(maxlen=self._length)
        self._last: NDArray[np.uint8] | None = None
        self._gate.reset()

    def set_prior(self, pose: Pose, covariance: NDArray[np.float64]) -> None:
        """Do nothing: no belief is kept."""

    @property
    def threshold(self) -> float:
        """Return the score above which a stretch is accepted, standard deviations."""
        if not len(self._wrong):
            return float('inf')
        return float(np.quantile(self._wrong, 1.0 - self.false_match_rate**0.5))

    def locate(self, views: Sequence[View], stamp_ns: int, odometry: Pose | None = None
               ) -> Estimate:
        """Find the stretch that the last views match best; see `Localizer.locate`."""
        view = min(views, key=lambda view: view.camera)
        bits = hamming_distances(view.descriptor[None], self.table.descriptors)[0]
        if not len(bits):
            return Estimate(-1, None, np.eye(6), self.places.bits, 0.0, 'the map is empty', ())
        row = standing_out(bits)
        if self._is_new(view.descriptor):
            self._rows.append(row)
            self._last = view.descriptor
            seen = self._evidence.see(view.tokens, bits) if self._evidence else None
            if seen is not None:
                self._ratios.append(seen.of_the_map)
        else:
            self._rows[-1] = row
        scores = self._stretches(np.array(self._rows))
        order = np.argsort(-scores)[:self.candidates]
        candidates = tuple(Candidate(int(self.table.ids[at]), int(bits[at]),
                                     self.places.pose(int(at), self._yaws[view.camera]))
                           for at in order)
        best = candidates[0].pose
        close = [candidate.pose for candidate, at in zip(candidates, order)
                 if scores[at] >= scores[order[0]] - 0.1]
        covariance = pose_covariance(
            best, np.array([pose.position for pose in close]),
            np.array([pose.quaternion for pose in close]), np.ones(len(close)),
            ONE_PLACE * self.places.floor)
        score = float(scores[order[0]])
        rejection = self._rejection(score)
        if not rejection:
            rejection = self._gate.check(best, stamp_ns, odometry)
        nearer = float(np.searchsorted(self._wrong, score)) / (len(self._wrong) + 1)
        return Estimate(candidates[0].place_id, best, covariance, candidates[0].distance,
                        0.0 if self.calibration is None else nearer, rejection, candidates,
                        score <= self.threshold and len(self._rows) == self._length)

    def _is_new(self, descriptor: NDArray[np.uint8]) -> bool:
        if self._last is None or self.calibration is None:
            return True
        changed = hamming_distances(descriptor[None], self._last[None])[0, 0]
        return bool(changed >= _NEW_VIEW * self.calibration.step_bits)

    def _rejection(self, score: float) -> str:
        if self.calibration is None:
            return UNCALIBRATED
        if len(self._rows) < self._length:
            return f'{len(self._rows)} of {self._length} views of the sequence'
        if self._evidence is not None and self._ratios:
            # Of one frame's ratio is known how often foreign worlds reach it: the mean of
            # several, which depend on each other, does so less often.
            foreign = self._evidence.foreign(float(np.mean(self._ratios)), self.false_match_rate)
            if foreign:
                return foreign
        if score <= self.threshold:
            return (f'a score of {score:.2f}; more than {self.threshold:.2f} is accepted at a '
                    f'false-match rate of {self.false_match_rate:g}')
        return ''

    def _stretches(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """
        Return for every place the mean score of the best stretch that ends there.

        :param rows: scores of the views, oldest first, ``[views, n]``.
        """
        best = np.full(rows.shape[1], -np.inf, np.float32)
        for speed in _SPEEDS:
            total = np.zeros(rows.shape[1], np.float32)
            for age, row in enumerate(rows[::-1]):
                back = round(speed * age)
                total[back:] += np.where(self._since_start[back:] >= back,
                                         row[:len(row) - back], np.float32(_MISSING))
                total[:back] += _MISSING
            np.maximum(best, total / len(rows), out=best)
        return best
