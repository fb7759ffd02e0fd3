# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Localisation with a belief: evidence of many frames, motion, and "off the map"."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization.belief.belief import MotionModel, PlaceBelief
from tetra_vpr_ros.localization.belief.believed import Believed
from tetra_vpr_ros.localization.belief.evidence import Evidence, novelty_of, ViewAnchor
from tetra_vpr_ros.localization.belief.gate import PlausibilityGate
from tetra_vpr_ros.localization.belief.place_graph import PlaceGraph
from tetra_vpr_ros.localization.belief.prediction import Prediction
from tetra_vpr_ros.localization.belief.reading import BeliefReading, Moment
from tetra_vpr_ros.localization.belief.visible_places import VisiblePlaces
from tetra_vpr_ros.localization.covariance import pose_offsets, squared_deviations
from tetra_vpr_ros.localization.estimate import Estimate
from tetra_vpr_ros.localization.mapped_places import MappedPlaces, RADIUS, required_belief, turned
from tetra_vpr_ros.localization.observation import View
from tetra_vpr_ros.localization.second_look import SecondLook
from tetra_vpr_ros.localization.second_look.token_evidence import Seen, TokenEvidence
from tetra_vpr_ros.mapping.calibration import DEFAULT_FALSE_MATCH_RATE, step_bits
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.pose import Pose

_BELIEVED = 0.01                   # belief from which a place is looked at in any case
_CLEAR = np.float32(5.0)           # nats from which a place speaks against the others
_PRIOR = 0.95                      # how far a pose to start from is trusted
_MISTAKEN = 0.5                    # … and how often it has nothing to do with the robot
_FAR_PRIOR = 9.0                   # squared deviations from which it is off the map
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
        self._reading = BeliefReading(self.places, self._yaws, self._positions,
                                      self._quaternions, self._seen_from, self._radius)
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self._last_views: dict[int, NDArray[np.uint8]] = {}
        self._anchors: dict[int, ViewAnchor] = {}  # by camera
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
        seeing = [view.camera for view in views]
        moment = Moment(seeing, distances)
        for view, bits, novelty in zip(views, distances, news):
            share = 1.0 / int(self._same_way[view.camera, seeing].sum())
            self._listen(view, bits, novelty, first, share, moment)
        return self._reading(self.belief, moment, self._prediction.pending, self.required_belief,
                             self.candidates,
                             lambda pose: self._gate.check(pose, stamp_ns, odometry))

    def _listen(self, view: View, bits: NDArray[np.int32], novelty: float, first: bool,
                share: float, moment: Moment) -> None:
        """Learn a share of what a view says, 0..1, and remember all of it for the moment."""
        seen = self._look(view, bits, moment)
        if seen is not None and self._token_evidence is not None:
            best, below = self._token_evidence.log_ratios(seen)
            said = min(best, _CLEAR) + below
            weighted = self._token_evidence.weighted(best, below, novelty, first)
        elif self._evidence is not None:
            said = self._evidence.log_ratios(bits, first)
            weighted = np.float32(novelty**2) * said
        else:
            return
        self.belief.observe(self._seen_from.of_states(view.camera, np.float32(share) * weighted))
        of_states = self._seen_from.of_states(view.camera, said)
        moment.heard = of_states if moment.heard is None else np.maximum(moment.heard, of_states)

    def _look(self, view: View, bits: NDArray[np.int32], moment: Moment) -> Seen | None:
        """Look again at the nearest places and at those that are believed in."""
        if self._token_evidence is None:
            return None
        places = self._seen_from(view.camera, self.belief.believed(_BELIEVED))
        seen = self._token_evidence.see(view.tokens, bits, np.unique(places[places >= 0]))
        if seen is not None:
            moment.seen.append((view.camera, seen))
            # Who stands in the way has no heading.
            for row, columns in zip(seen.rows, seen.looks.columns) if seen.of_the_map > 0 else ():
                turn = self._token_evidence.look.turn(float(columns), view.camera)
                if turn is not None:
                    moment.turns[view.camera, int(row)] = turn
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
