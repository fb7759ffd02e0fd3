# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Localisation with a belief: evidence of many frames, motion, and "off the map"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization.belief.belief import MotionModel, PlaceBelief
from tetra_vpr_ros.localization.belief.believed import Believed
from tetra_vpr_ros.localization.belief.evidence import Evidence, novelty_of, ViewAnchor
from tetra_vpr_ros.localization.belief.gate import PlausibilityGate
from tetra_vpr_ros.localization.belief.place_graph import PlaceGraph
from tetra_vpr_ros.localization.belief.prediction import Prediction
from tetra_vpr_ros.localization.belief.visible_places import VisiblePlaces
from tetra_vpr_ros.localization.covariance import (
    mean_pose, pose_covariance, pose_offsets, squared_deviations)
from tetra_vpr_ros.localization.estimate import Candidate, Estimate
from tetra_vpr_ros.localization.mapped_places import (
    MappedPlaces, RADIUS, required_belief, turned, UNCALIBRATED)
from tetra_vpr_ros.localization.observation import View
from tetra_vpr_ros.localization.second_look import HEADING_DEVIATION, SecondLook
from tetra_vpr_ros.localization.second_look.token_evidence import Seen, TokenEvidence
from tetra_vpr_ros.mapping.calibration import DEFAULT_FALSE_MATCH_RATE, SAME_WAY, step_bits
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.motion import compose
from tetra_vpr_ros.mapping.pose import Pose

_BELIEVED = 0.01                   # belief from which a place is looked at in any case
_THIN = 1e-9                       # belief that cannot matter to a pose
_CONTRADICTED = -2.0               # nats of a frame that is no outlier but another place
_CLEAR = np.float32(5.0)           # nats from which a place speaks against the others
_PRIOR = 0.95                      # how far a pose to start from is trusted
_MISTAKEN = 0.05                   # … and how often it has nothing to do with the robot
_FAR_PRIOR = 9.0                   # squared deviations from which it is off the map
_BLOCK = 256                       # values of which one is the largest
_LEAF = 64                         # states in a leaf: smaller ones take more memory
_RIVAL = 0.5                       # share of the best's belief that makes another one a rival
_ALIKE_YAWS = math.radians(15.0)   # cameras that see the same


class BayesLocalizer:
    """
    A discrete Bayes filter over the places of a map.

    A state is a place as one of the cameras sees it: with several cameras there
    are several robot poses for each place.

    :param place_map: an open map; it is read here and not needed afterwards.
    :param false_match_rate: share of wrong matches allowed, see `required_belief`.
    :param candidates: how many places are returned.
    :param camera_yaws: of each camera against that of the mapping run, radians.
    :param motion: how the robot moves.
    :param radius: of agreement, see `RADIUS`.
    :param second_look: at the candidates of frames with tokens; its map stays open.
    :raises MapError: the map is damaged, or was calibrated by another version.
    :ivar belief: over the states.
    """

    def __init__(self, place_map: PlaceMap, false_match_rate: float = DEFAULT_FALSE_MATCH_RATE,
                 candidates: int = 10, camera_yaws: Sequence[float] = (0.0,),
                 motion: MotionModel | None = None, radius: float = RADIUS,
                 second_look: SecondLook | None = None) -> None:
        """Load all places and join them to a graph."""
        self.places = MappedPlaces.load(place_map)
        self.table, self.calibration = self.places.table, self.places.calibration
        self.false_match_rate = false_match_rate
        self.candidates = candidates
        self._yaws = tuple(camera_yaws)
        # Views of cameras that look the same way are one view, seen several times.
        apart = np.subtract.outer(self._yaws, self._yaws)
        self._same_way = np.abs(np.arctan2(np.sin(apart), np.cos(apart))) <= _ALIKE_YAWS
        self._evidence = Evidence(self.calibration) if self.calibration else None
        self.second_look = second_look
        self._token_evidence = TokenEvidence.of(second_look, self.places)
        self._radius = radius * self.places.resolution
        self._step_bits = (self.calibration.step_bits if self.calibration
                           else step_bits(self.table))
        count, cameras = len(self.table), len(self._yaws)
        self._positions, self._quaternions = self.table.positions, self.table.quaternions
        if self._yaws != (0.0,):
            self._positions = np.tile(self._positions, (cameras, 1))
            self._quaternions = np.vstack([
                turned(self.table.quaternions, -yaw) if yaw else self.table.quaternions
                for yaw in self._yaws])
        motion = motion or MotionModel()
        self._gate = PlausibilityGate(1.5 * self._radius, motion.max_speed)
        if not count:
            return
        graph = PlaceGraph(self._positions, self._quaternions, self.places.spacing,
                           self.places.angle, roaming=self.places.errors is not None)
        starts = np.flatnonzero(np.diff(self.table.sessions)) + 1
        breaks = np.concatenate([np.append(starts, count) + i * count for i in range(cameras)])
        self.belief = PlaceBelief(graph, breaks[breaks < count * cameras], motion)
        self._seen_from = VisiblePlaces(self.places, self._yaws, self._positions,
                                        self._quaternions)
        self._tree = cKDTree(self._positions, leafsize=_LEAF)
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self._last_views: dict[int, NDArray[np.uint8]] = {}
        self._anchors: dict[int, ViewAnchor] = {}  # by camera
        self._seen: list[tuple[int, Seen]] = []  # by camera, of this moment
        self._turns: dict[tuple[int, int], float] = {}  # by camera and row of the place seen
        self._gate.reset()
        if len(self.table):
            self.belief.reset()
            self._prediction = Prediction(self.belief)

    def set_prior(self, pose: Pose, covariance: NDArray[np.float64]) -> None:
        """Start from a pose that is roughly known; see `Localizer.set_prior`."""
        self.reset()
        if not len(self.table):
            return
        error = squared_deviations(pose_offsets(pose, self._positions, self._quaternions),
                                   covariance, self.places.floor)
        # A pose far from every place says that the robot is off the map.
        nearest = float(error.min())
        on_map = _PRIOR * math.exp(-0.5 * max(0.0, nearest - _FAR_PRIOR))
        near = np.exp(-0.5 * (error - nearest))
        # Who told the pose may be wrong, and a robot that stands never enters the map elsewhere.
        anywhere = _MISTAKEN / len(near)
        self.belief.set_prior(on_map * (1.0 - _MISTAKEN) * near / near.sum() + anywhere,
                              (1.0 - on_map) * (1.0 - _MISTAKEN))

    def believed(self) -> Believed | None:
        """Return how much belief each place holds, whichever camera sees it."""
        if not len(self.table):
            return None
        return Believed(self.belief.places.reshape(len(self._yaws), -1).sum(axis=0),
                        self.belief.off_map)

    @property
    def required_belief(self) -> float:
        """
        Return the probability about a pose above which it is accepted.

        Over thousands of frames of other laps and other light the wrong share of what
        was accepted at belief b stayed below (1 - b)^2 (docs/localization.md).
        """
        return required_belief(self.false_match_rate)

    def locate(self, views: Sequence[View], stamp_ns: int, odometry: Pose | None = None
               ) -> Estimate:
        """Update the belief and read it; see `Localizer.locate`."""
        if not len(self.table):
            return Estimate(-1, None, np.eye(6), self.places.bits, 0.0, 'the map is empty', ())
        distances = [hamming_distances(view.descriptor[None], self.table.descriptors)[0]
                     for view in views]
        first = not self._anchors
        changes = [self._change(view) for view in views]
        news = [self._news(view, change) for view, change in zip(views, changes)]
        if not self._prediction.move(stamp_ns, odometry, max(changes), max(news)):
            self._anchors.clear()  # nothing is known any more: all that is seen is news
            first, news = True, [self._news(view, 1.0) for view in views]
        heard: NDArray[np.float32] | None = None
        self._turns.clear()
        self._seen.clear()
        seeing = [view.camera for view in views]
        for view, bits, novelty in zip(views, distances, news):
            share = 1.0 / int(self._same_way[view.camera, seeing].sum())
            said = self._listen(view, bits, novelty, first, share)
            if said is None:
                continue
            heard = said if heard is None else np.maximum(heard, said)
        return self._read(views, distances, heard, stamp_ns, odometry)

    def _listen(self, view: View, bits: NDArray[np.int32], novelty: float, first: bool,
                share: float) -> NDArray[np.float32] | None:
        """
        Learn a share of what a view says, 0..1.

        :returns: all that it says of every state, None where it says nothing.
        """
        seen = self._look(view, bits)
        if seen is not None and self._token_evidence is not None:
            best, below = self._token_evidence.log_ratios(seen)
            said = min(best, _CLEAR) + below
            weighted = self._token_evidence.weighted(best, below, novelty, first)
        elif self._evidence is not None:
            said = self._evidence.log_ratios(bits, first)
            weighted = np.float32(novelty**2) * said
        else:
            return None
        self.belief.observe(self._seen_from.of_states(view.camera, np.float32(share) * weighted))
        return self._seen_from.of_states(view.camera, said)

    def _look(self, view: View, bits: NDArray[np.int32]) -> Seen | None:
        """Look again at the nearest places and at those that are believed in."""
        if self._token_evidence is None:
            return None
        places = self._seen_from(view.camera, self.belief.believed(_BELIEVED))
        seen = self._token_evidence.see(view.tokens, bits, np.unique(places[places >= 0]))
        if seen is not None:
            self._seen.append((view.camera, seen))
            # Who stands in the way has no heading.
            for row, columns in zip(seen.rows, seen.looks.columns) if seen.of_the_map > 0 else ():
                turn = self._token_evidence.look.turn(float(columns), view.camera)
                if turn is not None:
                    self._turns[view.camera, int(row)] = turn
        return seen

    def _news(self, view: View, change: float) -> float:
        """Return how much of a view is news, see `ViewAnchor`."""
        anchor = self._anchors.setdefault(view.camera, ViewAnchor(self._step_bits))
        return anchor.news(view.descriptor, change)

    def _change(self, view: View) -> float:
        """Return by how much a view changed since the last of its camera, 0..1."""
        last = self._last_views.get(view.camera)
        self._last_views[view.camera] = view.descriptor
        if last is None:
            return 1.0
        bits = int(hamming_distances(view.descriptor[None], last[None])[0, 0])
        return novelty_of(bits, self._step_bits)

    def _read(self, views: Sequence[View], distances: Sequence[NDArray[np.int32]],
              heard: NDArray[np.float32] | None, stamp_ns: int, odometry: Pose | None
              ) -> Estimate:
        """Make the estimate; ``heard`` is what this moment's views say of each state."""
        mass = self.belief.places
        if heard is None:  # no belief without calibration: order by distance
            further = (distances[0] - distances[0].min())[np.arange(len(mass)) % len(self.table)]
            mass = np.exp2(-further.astype(np.float32))
        order = _largest(mass, self.candidates * len(self._yaws))
        best = int(order[0])
        near = self._agreeing(best, mass)
        weights = mass[near].astype(np.float64)
        held = float(weights.sum())
        mean = mean_pose(self._positions[near], self._quaternions[near], weights)
        deviation = self._deviation(near)
        # What is known of matches like this one is better than what is known of all.
        scale = self.calibration.covariance_scale if self.calibration and not deviation else 1.0
        covariance = pose_covariance(mean, self._positions[near], self._quaternions[near],
                                     weights, self.places.uncertainty(deviation), scale)
        moved, heading = compose(mean, self._prediction.pending), self._heading(near, weights)
        if heading is not None:
            quaternion, spread = heading
            moved = replace(moved, quaternion=quaternion)
            # What the places' own headings leave open was seen in this frame.
            covariance[5, :] = covariance[:, 5] = 0.0
            covariance[5, 5] = HEADING_DEVIATION**2 + spread
        rows = near % len(self.table)
        pose = Pose(moved.position, moved.quaternion, self.places.geodetic_mean(rows, weights))
        if heard is None:
            rejection = UNCALIBRATED
        elif held < self.required_belief:
            rejection = self._doubt(best, held, mass)
        elif self._seen and all(seen.nothing for _, seen in self._seen):
            rejection = 'the picture shows nothing: it is dark, covered or out of focus'
        elif heard[near].max() < _CONTRADICTED:
            rejection = 'the view speaks against the place that is believed in'
        else:
            rejection = self.places.off(deviation, self._radius) or self._gate.check(
                pose, stamp_ns, odometry)
        # The place of the published pose comes first: the mean is right more often than the mode.
        closest = int(near[np.argmin(np.linalg.norm(
            self._positions[near] - mean.position, axis=1))])
        ranked = [closest, *(int(state) for state in order if state != closest)]
        # Several cameras see a place from as many states.
        places: dict[int, int] = {}
        for state in ranked:
            places.setdefault(state % len(self.table), state)
        candidates = tuple(self._candidate(state, views, distances, mass)
                           for state in list(places.values())[:self.candidates])
        return Estimate(candidates[0].place_id, pose, covariance, candidates[0].distance,
                        0.0 if heard is None else held, rejection, candidates,
                        self.belief.off_map > 0.5)

    def _deviation(self, near: NDArray[np.int64]) -> float | None:
        """Return how far off matches like the best of this moment are, see `MappedPlaces`."""
        if not self._seen:
            return None
        scores = [score for camera, seen in self._seen
                  if (score := seen.score_among(self._seen_from(camera, near))) is not None]
        return self.places.deviation(max(scores, default=None))

    def _heading(self, near: NDArray[np.int64], weights: NDArray[np.float64]
                 ) -> tuple[NDArray[np.float64], float] | None:
        """
        Return the orientation that the frame was seen to have against places.

        :returns: x y z w, and the variance of what they tell, square radians.
        """
        seen, headings = [], []
        for camera, yaw in enumerate(self._yaws):
            for row, weight in zip(self._seen_from(camera, near).tolist(), weights):
                turn = self._turns.get((camera, row))
                if turn is not None:
                    place = self.table.quaternions[row]
                    headings.append(turned(place[None], turn - yaw)[0])
                    seen.append(weight)
        if not seen:
            return None
        told, shares = np.array(headings), np.array(seen)
        mean = mean_pose(np.zeros((len(seen), 3)), told, shares).quaternion
        apart = (Rotation.from_quat(told) * Rotation.from_quat(mean).inv()).as_rotvec()[:, 2]
        return mean, float(shares @ apart**2 / shares.sum())

    def _agreeing(self, best: int, mass: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
        """Return the states with belief that lie near the best and look the same way."""
        near = np.array(self._tree.query_ball_point(self._positions[best], self._radius), int)
        near = near[mass[near] > _THIN]
        alike = np.abs(self._quaternions[near] @ self._quaternions[best]) >= SAME_WAY
        near = np.sort(near[alike])
        return near if len(near) else np.array([best])

    def _doubt(self, best: int, held: float, mass: NDArray[np.floating[Any]]) -> str:
        """Say why the belief is not enough."""
        if self.belief.off_map > 0.5:
            return (f'unknown place: {self.belief.off_map:.0%} of the belief is that the robot '
                    'is off the map')
        rest = mass.copy()
        rest[self._tree.query_ball_point(self._positions[best], self._radius)] = 0.0
        rival = int(np.argmax(rest))
        second = float(rest[self._agreeing(rival, rest)].sum())
        if second >= _RIVAL * held:
            metres = float(np.linalg.norm(self._positions[rival] - self._positions[best]))
            ids = self.table.ids
            return (f'ambiguous: places {ids[best % len(ids)]} and {ids[rival % len(ids)]}, '
                    f'{metres:.0f} m apart, hold {held:.0%} and {second:.0%} of the belief')
        return f'{held:.1%} of the belief agree, {self.required_belief:.1%} are needed'

    def _candidate(self, state: int, views: Sequence[View],
                   distances: Sequence[NDArray[np.int32]], mass: NDArray[np.floating[Any]]
                   ) -> Candidate:
        camera, row = divmod(state, len(self.table))
        here = np.array([state])
        rows = [int(self._seen_from(view.camera, here)[0]) for view in views]
        seen = [int(bits[at]) for at, bits in zip(rows, distances) if at >= 0]
        scores = [score for of, looked in self._seen if (
            score := looked.score_among(self._seen_from(of, here))) is not None]
        return Candidate(int(self.table.ids[row]), min(seen, default=self.places.bits),
                         self.places.pose(row, self._yaws[camera]), float(mass[state]),
                         score=max(scores, default=math.nan))


def _largest(values: NDArray[np.floating[Any]], count: int) -> NDArray[np.int64]:
    """Return the indices of the largest values, largest first."""
    blocks = len(values) // _BLOCK
    least = -np.inf  # below the largest, hardly more than which are above
    if blocks > count:
        largest = values[:blocks * _BLOCK].reshape(blocks, _BLOCK).max(axis=1)
        least = np.partition(largest, -count)[-count]
    found = np.flatnonzero(values > least)
    found = found[np.argsort(-values[found], kind='stable')][:count]
    if len(found) < count:  # in a large map nearly all hold the same
        found = np.append(found, np.flatnonzero(values == least)[:count - len(found)])
    return found
