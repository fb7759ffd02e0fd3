# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a belief over places says of where the robot is, and whether that is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization.belief.belief import PlaceBelief
from tetra_vpr_ros.localization.belief.visible_places import VisiblePlaces
from tetra_vpr_ros.localization.covariance import mean_pose, pose_covariance, with_heading
from tetra_vpr_ros.localization.estimate import Candidate, Estimate
from tetra_vpr_ros.localization.mapped_places import MappedPlaces, turned, UNCALIBRATED
from tetra_vpr_ros.localization.second_look import HEADING_DEVIATION
from tetra_vpr_ros.localization.second_look.token_evidence import Seen
from tetra_vpr_ros.mapping.calibration import SAME_WAY
from tetra_vpr_ros.mapping.motion import compose
from tetra_vpr_ros.mapping.pose import Pose

_THIN = 1e-9          # belief that cannot matter to a pose
_CONTRADICTED = -2.0  # nats of a frame that is no outlier but another place
_BLOCK = 256          # values of which one is the largest
_LEAF = 64            # states in a leaf: smaller ones take more memory
_RIVAL = 0.5          # share of the best's belief that makes another one a rival


@dataclass
class Moment:
    """
    What was seen at a moment.

    :ivar cameras: of the views.
    :ivar distances: of each view to all places, bits.
    :ivar heard: all that the views say of each state, nats, ``[n]``; None where that is nothing.
    :ivar seen: second looks, with their cameras.
    :ivar turns: by which angle a camera was seen to be turned against a place, radians, by camera
        and row of the place.
    """

    cameras: Sequence[int]
    distances: Sequence[NDArray[np.int32]]
    heard: NDArray[np.float32] | None = None
    seen: list[tuple[int, Seen]] = field(default_factory=list)
    turns: dict[tuple[int, int], float] = field(default_factory=dict)


class BeliefReading:
    """
    Reads a belief over the states of a map, see `BayesLocalizer`.

    :param places: of the map.
    :param yaws: of each camera against that of the mapping run, radians.
    :param positions: of the states, metres, ``[n, 3]``.
    :param quaternions: x y z w, ``[n, 4]``.
    :param seen_from: which places the cameras see in them.
    :param radius: metres within which states agree.
    """

    def __init__(self, places: MappedPlaces, yaws: Sequence[float],
                 positions: NDArray[np.float64], quaternions: NDArray[np.float64],
                 seen_from: VisiblePlaces, radius: float) -> None:
        """Index the states."""
        self.places, self.table, self.calibration = places, places.table, places.calibration
        self._yaws, self._seen_from, self._radius = tuple(yaws), seen_from, radius
        self._positions, self._quaternions = positions, quaternions
        self._tree = cKDTree(positions, leafsize=_LEAF)

    def __call__(self, belief: PlaceBelief, moment: Moment, pending: Pose, required: float,
                 candidates: int, implausible: Callable[[Pose], str]) -> Estimate:
        """
        Make the estimate of a moment.

        :param belief: after all that was seen.
        :param moment: what that was.
        :param pending: motion that the belief has not made yet.
        :param required: belief about a pose above which it is accepted.
        :param candidates: how many places are returned.
        :param implausible: says why a pose cannot be, empty where it can; asked only of one
            that would be accepted.
        """
        mass, heard, distances = belief.places, moment.heard, moment.distances
        if heard is None:  # no belief without calibration: order by distance
            further = (distances[0] - distances[0].min())[np.arange(len(mass)) % len(self.table)]
            mass = np.exp2(-further.astype(np.float32))
        order = _largest(mass, candidates * len(self._yaws))
        best = int(order[0])
        near = self._agreeing(best, mass)
        weights = mass[near].astype(np.float64)
        held = float(weights.sum())
        mean = mean_pose(self._positions[near], self._quaternions[near], weights)
        # How far off matches like the best of this moment are, where it was looked at again.
        deviation = (self.places.deviation(self._score_among(near, moment)) if moment.seen
                     else None)
        # What is known of matches like this one is better than what is known of all.
        scale = self.calibration.covariance_scale if self.calibration and not deviation else 1.0
        covariance = pose_covariance(mean, self._positions[near], self._quaternions[near],
                                     weights, self.places.uncertainty(deviation), scale)
        moved, heading = compose(mean, pending), self._heading(near, weights, moment.turns)
        if heading is not None:
            quaternion, spread = heading
            moved = replace(moved, quaternion=quaternion)
            # What the places' own headings leave open was seen in this frame.
            covariance = with_heading(covariance, quaternion, HEADING_DEVIATION**2 + spread)
        rows = near % len(self.table)
        pose = Pose(moved.position, moved.quaternion, self.places.geodetic_mean(
            rows, weights, moved.position - mean.position))
        if heard is None:
            rejection = UNCALIBRATED
        elif held < required:
            rejection = self._doubt(best, held, required, mass, belief.off_map)
        elif moment.seen and all(seen.nothing for _, seen in moment.seen):
            rejection = 'the picture shows nothing: it is dark, covered or out of focus'
        elif heard[near].max() < _CONTRADICTED:
            rejection = 'the view speaks against the place that is believed in'
        else:
            rejection = self.places.off(deviation, self._radius) or implausible(pose)
        # The place of the published pose comes first: the mean is right more often than the mode.
        closest = int(near[np.argmin(np.linalg.norm(
            self._positions[near] - mean.position, axis=1))])
        ranked = [closest, *(int(state) for state in order if state != closest)]
        # Several cameras see a place from as many states.
        places: dict[int, int] = {}
        for state in ranked:
            places.setdefault(state % len(self.table), state)
        found = tuple(self._candidate(state, moment, mass)
                      for state in list(places.values())[:candidates])
        return Estimate(found[0].place_id, pose, covariance, found[0].distance,
                        0.0 if heard is None else held, rejection, found, belief.off_map > 0.5)

    def _score_among(self, states: NDArray[np.int64], moment: Moment) -> float | None:
        """Return the best token score of what is seen in some states; None where none is known."""
        scores = (seen.score_among(self._seen_from(camera, states))
                  for camera, seen in moment.seen)
        return max((score for score in scores if score is not None), default=None)

    def _heading(self, near: NDArray[np.int64], weights: NDArray[np.float64],
                 turns: dict[tuple[int, int], float]) -> tuple[NDArray[np.float64], float] | None:
        """
        Return the orientation that the frame was seen to have against places.

        :returns: x y z w, and the variance of what they tell, square radians.
        """
        seen, headings = [], []
        for camera, yaw in enumerate(self._yaws):
            for row, weight in zip(self._seen_from(camera, near).tolist(), weights):
                turn = turns.get((camera, row))
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

    def _doubt(self, best: int, held: float, required: float,
               mass: NDArray[np.floating[Any]], off_map: float) -> str:
        """Say why the belief is not enough."""
        if off_map > 0.5:
            return f'unknown place: {off_map:.0%} of the belief is that the robot is off the map'
        rest = mass.copy()
        rest[self._tree.query_ball_point(self._positions[best], self._radius)] = 0.0
        rival = int(np.argmax(rest))
        second = float(rest[self._agreeing(rival, rest)].sum())
        if second >= _RIVAL * held:
            metres = float(np.linalg.norm(self._positions[rival] - self._positions[best]))
            ids = self.table.ids
            return (f'ambiguous: places {ids[best % len(ids)]} and {ids[rival % len(ids)]}, '
                    f'{metres:.0f} m apart, hold {held:.0%} and {second:.0%} of the belief')
        return f'{held:.1%} of the belief agree, {required:.1%} are needed'

    def _candidate(self, state: int, moment: Moment, mass: NDArray[np.floating[Any]]
                   ) -> Candidate:
        camera, row = divmod(state, len(self.table))
        here = np.array([state])
        rows = [int(self._seen_from(of, here)[0]) for of in moment.cameras]
        seen = [int(bits[at]) for at, bits in zip(rows, moment.distances) if at >= 0]
        score = self._score_among(here, moment)
        return Candidate(int(self.table.ids[row]), min(seen, default=self.places.bits),
                         self.places.pose(row, self._yaws[camera]), float(mass[state]),
                         score=math.nan if score is None else score)


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
