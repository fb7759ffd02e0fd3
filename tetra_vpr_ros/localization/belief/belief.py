# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Belief over the places of a map: a discrete Bayes filter.

After M. Xu, N. Sünderhauf, M. Milford, "Probabilistic Visual Place Recognition
for Hierarchical Localization", RA-L 2020: a state is a place or "off the map".
With odometry, belief moves along the edges of the place graph. Without, every
place is held for several speeds along its traverse at once, and how much the
view changes from frame to frame tells these apart. In a map of very many places
belief that is no more than evenly spread stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization.belief.held_speeds import HELD, HeldSpeeds, SPEEDS
from tetra_vpr_ros.localization.belief.place_graph import PlaceGraph
from tetra_vpr_ros.mapping.motion import share_of
from tetra_vpr_ros.mapping.pose import Pose

_SPEED_CHANGE = 0.1     # share of belief whose speed changes while one place passes
_SIDESTEP = 0.1         # … that steps to a neighbour in the graph, another traverse for instance
# In a room that was roamed the next view may be on any pass, and some are between the passes.
_ROAMING_STEP = 0.5     # share of belief that steps to a neighbour while one place passes
_ROAMING_JUMP = 0.01    # … that is anywhere else on the map
_VIEW_NOISE = 0.4       # deviation of the novelty that a speed lets expect
_VIEW_LIMIT = 2.0       # nats that novelty may say against a speed at most
_ACTIVE = 2.0           # mass, in units of an even spread, above which belief is moved
_TAIL = 1e-3            # … and that is moved in any case where most places hold much less
_HALF = 0.5             # … but also what is more than this is moved, in a map of a few places
_START_OFF_MAP = 0.1    # a robot is switched on where its map is, as a rule
_AT_A_TIME = 1 << 16    # states that learn at a time: a large map needs the memory
_LONG = 50.0            # places that may pass in one step; then nothing is known any more


@dataclass(frozen=True)
class MotionModel:
    """
    How a robot moves.

    :ivar max_speed: metres a second; bounds the random walk without odometry.
    :ivar noise: deviation of odometry as a share of the way.
    :ivar leave_rate: probability to leave the map while one place passes.
    :ivar enter_rate: probability to come back onto it, anywhere, in the same time; also of a
        robot that was carried while it was on it.
    """

    max_speed: float = 2.0
    noise: float = 0.1
    leave_rate: float = 0.002
    enter_rate: float = 0.001


class PlaceBelief:
    """
    Probability of every state, and of being off the map.

    :param graph: of the states.
    :param breaks: states that do not follow the one before them in a traverse.
    :param model: of the motion.
    """

    def __init__(self, graph: PlaceGraph, breaks: NDArray[np.int64],
                 model: MotionModel | None = None) -> None:
        """Start knowing nothing."""
        self.graph = graph
        self.model = model or MotionModel()
        self._velocities = np.linspace(-1.0, 1.0, SPEEDS)
        near = np.eye(SPEEDS, k=1) + np.eye(SPEEDS, k=-1)
        self._exchange = near / near.sum(axis=1, keepdims=True)
        self._speeds = HeldSpeeds(graph.size, breaks)
        self._mass: NDArray[np.float32] = np.empty(graph.size, np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._off = np.full(SPEEDS, _START_OFF_MAP / SPEEDS)
        self._mass[:] = (1.0 - _START_OFF_MAP) / self.graph.size
        self._forget_speeds()

    def _forget_speeds(self) -> None:
        self._speeds.forget()
        self._partial = np.zeros(SPEEDS)

    @property
    def off_map(self) -> float:
        """Return the probability that the robot is off the map."""
        return float(self._off.sum())

    @property
    def places(self) -> NDArray[np.float32]:
        """Return the probability of every state, ``[n]``: read-only, and changed by each step."""
        now = self._mass.view()
        now.flags.writeable = False
        return now

    def believed(self, least: float) -> NDArray[np.int64]:
        """Return the states that hold at least a share of the belief, ascending."""
        return np.flatnonzero(self._mass >= least)

    def set_prior(self, weights: NDArray[np.float64], off_map: float) -> None:
        """
        Start from a given belief.

        :param weights: of the states, ``[n]``, not negative, not all zero.
        :param off_map: probability that the robot is off the map.
        """
        self._forget_speeds()
        self._mass[:] = weights / weights.sum() * (1.0 - off_map)
        self._off = np.full(SPEEDS, off_map / SPEEDS)

    def walk(self, seconds: float, novelty: float, passed: float | None = None,
             carried: float = 0.0) -> bool:
        """
        Pass time without odometry: a random walk bounded in speed.

        :param seconds: since the last step, >= 0.
        :param novelty: of the view since then, 0..1, see `novelty_of`.
        :param passed: places that passed, for the chance to have left the map, 0..1; None takes
            the square of the novelty.
        :param carried: probability that the robot was lifted and put down anywhere else, 0..1.
        :returns: False where so much may have passed that nothing is known any more.
        """
        ways = self._velocities * self.model.max_speed * seconds / self.graph.spacing
        if ways[-1] > _LONG:
            self.reset()
            return False
        self._partial += ways
        steps = np.round(self._partial).astype(np.int64)
        self._partial -= steps
        reach, speeds = int(np.abs(steps).max()), self._speeds
        speeds.hold(self._mass, self._active(speeds.most(reach)), reach)
        speeds.shift(steps)
        # The view changes with the square root of the way, as a random walk of bits does.
        expected = np.minimum(1.0, np.sqrt(np.abs(ways)))
        said = np.maximum(-_VIEW_LIMIT, -0.5 * ((novelty - expected) / _VIEW_NOISE) ** 2)
        passed = novelty**2 if passed is None else passed
        if passed:
            self._mass[speeds.rows] = speeds.mass.sum(axis=0)
            active = self._active(speeds.most(reach))
            share = _ROAMING_STEP if self.graph.roaming else _SIDESTEP
            self._step_aside(active[speeds.find(active)[1]], share * passed)
        self._leave_and_enter(passed, carried)
        # Speeds change a little, and the view has its say about each: one product does both.
        change = _SPEED_CHANGE * passed
        turned = (1.0 - change) * np.eye(SPEEDS) + change * self._exchange.T
        turned *= np.exp(said - said.max())[:, None]
        speeds.mass = turned.astype(np.float32) @ speeds.mass
        self._off = turned @ self._off  # off the map the robot has a speed, too
        others = turned @ speeds.rest
        speeds.rest = others / others.sum()
        self._mass *= np.float32(others.sum())
        self._mass[speeds.rows] = speeds.mass.sum(axis=0)
        self._normalise()
        return True

    def drive(self, motion: Pose, passed: float) -> bool:
        """
        Move by a motion that odometry has measured.

        :param motion: in the robot's own frame.
        :param passed: places that passed, for the chance to have left the map.
        :returns: False where so much has passed that nothing is known any more.
        """
        self._forget_speeds()  # odometry knows it
        way = self.graph.way(motion)
        steps = max(1, int(np.ceil(way)))
        if steps > _LONG:
            self.reset()
            return False
        step = share_of(motion, 1.0 / steps)
        length = float(np.linalg.norm(step.position))
        turn = float(np.linalg.norm(Rotation.from_quat(step.quaternion).as_rotvec()))
        noise = (0.5 * self.graph.spacing + self.model.noise * length,
                 0.5 * self.graph.angle + self.model.noise * turn)
        for _ in range(steps):
            active = self._active(self._speeds.most(0))
            leads = self.graph.moves(active, step, noise)
            moving = self._mass[active][leads.source] * leads.share
            self._mass[active] = 0.0
            np.add.at(self._mass, leads.target, moving)
        self._leave_and_enter(min(1.0, passed))
        self._normalise()
        return True

    def observe(self, log_ratios: NDArray[np.float32]) -> None:
        """
        Learn from a frame.

        :param log_ratios: of every state, as far as they are news, see `Evidence` and
            `TokenEvidence`, ``[n]``.
        """
        for first in range(0, self.graph.size, _AT_A_TIME):
            some = slice(first, first + _AT_A_TIME)
            self._mass[some] *= np.exp(log_ratios[some])
        self._speeds.mass *= np.exp(log_ratios[self._speeds.rows])
        self._normalise()

    def _active(self, most: int) -> NDArray[np.int64]:
        """Return the states whose belief is moved, ascending: of a large map not too many."""
        above = min(_ACTIVE / self.graph.size, _HALF)
        if above > _TAIL:  # in a map of few places that would leave much of a known place behind
            above = max(_TAIL, min(above, _ACTIVE * float(np.median(self._mass))))
        active = np.flatnonzero(self._mass > above)
        if len(active) > most and self.graph.size > HELD:
            least = np.argpartition(self._mass[active], -most)[-most:]
            active = np.sort(active[least])
        return active

    def _step_aside(self, active: NDArray[np.int64], share: float) -> None:
        """Let a share of the belief in some states that are held step to any neighbour."""
        speeds, steps = self._speeds, self.graph.sidesteps(active, share)
        own, _ = speeds.find(active)
        column, held = speeds.find(steps.target)
        going = sparse.csr_matrix((steps.share[held], (steps.source[held], column[held])),
                                  (len(active), len(speeds.rows)))
        moving = speeds.mass[:, own]
        speeds.mass[:, own] = 0.0
        speeds.mass += moving @ going
        # Where no speeds are held belief arrives with those of the rest.
        beyond = moving.sum(axis=0)[steps.source[~held]] * steps.share[~held]
        np.add.at(self._mass, steps.target[~held], beyond)

    def _leave_and_enter(self, passed: float, carried: float = 0.0) -> None:
        speeds = self._speeds
        self._mass[speeds.rows] = 0.0
        others = float(self._mass.sum(dtype=np.float64))
        on = speeds.mass.sum(axis=1, dtype=np.float64) + others * speeds.rest
        lost = max(0.0, 1.0 - float(on.sum()) - self.off_map)
        off = self._off + lost / SPEEDS
        leaves, enters = self.model.leave_rate * passed, self.model.enter_rate * passed
        # Who was carried comes back elsewhere on the map, as who had left it does.
        jumps = carried + passed * max(self.model.enter_rate,
                                       _ROAMING_JUMP if self.graph.roaming else 0.0)
        # Leaving and entering do not change the speed.
        coming = (off * enters + jumps * on) / self.graph.size
        stays = 1.0 - leaves - jumps
        speeds.mass *= np.float32(stays)
        speeds.mass += coming.astype(np.float32)[:, None]
        kept = others * stays * speeds.rest + coming * (self.graph.size - len(speeds.rows))
        if kept.sum() > 0.0:
            speeds.rest = kept / kept.sum()
        self._mass *= np.float32(stays)
        self._mass += np.float32(coming.sum())
        self._mass[speeds.rows] = speeds.mass.sum(axis=0)
        self._off = off * (1.0 - enters) + on * leaves

    def _normalise(self) -> None:
        total = float(self._mass.sum(dtype=np.float64)) + self.off_map
        self._mass *= np.float32(1.0 / total)
        self._speeds.mass *= np.float32(1.0 / total)
        self._off /= total
