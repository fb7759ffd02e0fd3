# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Belief over the places of a map: a discrete Bayes filter.

After M. Xu, N. Sünderhauf, M. Milford, "Probabilistic Visual Place Recognition
for Hierarchical Localization", RA-L 2020: a state is a place or "off the map".
With odometry, belief moves along the edges of the place graph. Without, every
place is held for several speeds along its traverse at once, and how much the
view changes from frame to frame tells these apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization.belief.place_graph import PlaceGraph
from tetra_vpr_ros.mapping.motion import share_of
from tetra_vpr_ros.mapping.pose import Pose

_SPEEDS = 9             # held at once, from full reverse to full ahead
_SPEED_CHANGE = 0.1     # share of belief whose speed changes while one place passes
_SIDESTEP = 0.1         # … that steps to a neighbour in the graph, another traverse for instance
# In a room that was roamed the next view may be on any pass, and some are between the passes.
_ROAMING_STEP = 0.5     # share of belief that steps to a neighbour while one place passes
_ROAMING_JUMP = 0.01    # … that is anywhere else on the map
_VIEW_NOISE = 0.4       # deviation of the novelty that a speed lets expect
_VIEW_LIMIT = 2.0       # nats that novelty may say against a speed at most
_ACTIVE = 2.0           # mass, in units of an even spread, above which belief is moved
_START_OFF_MAP = 0.1    # a robot is switched on where its map is, as a rule
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
        self._breaks = breaks
        self._speeds = np.linspace(-1.0, 1.0, _SPEEDS)
        near = np.eye(_SPEEDS, k=1) + np.eye(_SPEEDS, k=-1)
        self._exchange = near / near.sum(axis=1, keepdims=True)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._mass = self._even(1.0 - _START_OFF_MAP)
        self._partial = np.zeros(_SPEEDS)
        self._off = np.full(_SPEEDS, _START_OFF_MAP / _SPEEDS)

    def _even(self, mass: float, layers: int = _SPEEDS) -> NDArray[np.float32]:
        return np.full((layers, self.graph.size), mass / self.graph.size / layers, np.float32)

    @property
    def off_map(self) -> float:
        """Return the probability that the robot is off the map."""
        return float(self._off.sum())

    @property
    def places(self) -> NDArray[np.float32]:
        """Return the probability of every state, ``[n]``."""
        return np.asarray(self._mass.sum(axis=0))

    def set_prior(self, weights: NDArray[np.float64], off_map: float) -> None:
        """
        Start from a given belief.

        :param weights: of the states, ``[n]``, not negative, not all zero.
        :param off_map: probability that the robot is off the map.
        """
        self.reset()
        share = weights / weights.sum() * (1.0 - off_map) / _SPEEDS
        self._mass[:] = share
        self._off[:] = off_map / _SPEEDS

    def walk(self, seconds: float, novelty: float) -> None:
        """
        Pass time without odometry: a random walk bounded in speed.

        :param seconds: since the last step, >= 0.
        :param novelty: of the view since then, 0..1, see `Evidence.novelty`.
        """
        if len(self._mass) == 1:  # odometry has stopped
            self._mass = np.repeat(self._mass / np.float32(_SPEEDS), _SPEEDS, axis=0)
            self._partial[:] = 0.0
        ways = self._speeds * self.model.max_speed * seconds / self.graph.spacing
        if ways[-1] > _LONG:
            self._mass = self._even(float(self._mass.sum()))
            return
        self._partial += ways
        for layer, way in enumerate(np.round(self._partial).astype(int)):
            if way:
                self._partial[layer] -= way
                self._shift(self._mass[layer], way)
        # The view changes with the square root of the way, as a random walk of bits does.
        expected = np.minimum(1.0, np.sqrt(np.abs(ways)))
        said = np.maximum(-_VIEW_LIMIT, -0.5 * ((novelty - expected) / _VIEW_NOISE) ** 2)
        passed = novelty**2
        active = self._active()
        if len(active) and passed:
            share = _ROAMING_STEP if self.graph.roaming else _SIDESTEP
            self.graph.spread(self._mass, active, share * passed)
        self._leave_and_enter(passed)
        # Speeds change a little, and the view has its say about each: one product does both.
        change = _SPEED_CHANGE * passed
        turned = (1.0 - change) * np.eye(_SPEEDS) + change * self._exchange.T
        turned *= np.exp(said - said.max())[:, None]
        self._mass = turned.astype(np.float32) @ self._mass
        self._off = turned @ self._off  # off the map the robot has a speed, too
        self._normalise()

    def drive(self, motion: Pose, passed: float) -> None:
        """
        Move by a motion that odometry has measured.

        :param motion: in the robot's own frame.
        :param passed: places that passed, for the chance to have left the map.
        """
        if len(self._mass) > 1:  # odometry has begun
            self._mass = self._mass.sum(axis=0, keepdims=True)
        way = self.graph.way(motion)
        steps = max(1, int(np.ceil(way)))
        if steps > _LONG:
            self._mass = self._even(float(self._mass.sum()), 1)
            return
        step = share_of(motion, 1.0 / steps)
        length = float(np.linalg.norm(step.position))
        turn = float(np.linalg.norm(Rotation.from_quat(step.quaternion).as_rotvec()))
        noise = (0.5 * self.graph.spacing + self.model.noise * length,
                 0.5 * self.graph.angle + self.model.noise * turn)
        for _ in range(steps):
            active = self._active()
            if len(active):
                self.graph.move(self._mass, active, step, noise)
        self._leave_and_enter(min(1.0, passed))
        self._normalise()

    def observe(self, log_ratios: NDArray[np.float32]) -> None:
        """
        Learn from a frame.

        :param log_ratios: of every state, as far as they are news, see `Evidence` and
            `TokenEvidence`, ``[n]``.
        """
        self._mass *= np.exp(log_ratios)
        self._normalise()

    def _active(self) -> NDArray[np.int64]:
        even = _ACTIVE / self.graph.size
        return np.flatnonzero(self._mass.sum(axis=0) > even)

    def _shift(self, mass: NDArray[np.float32], way: int) -> None:
        """Move along the traverses, in place; what passes an end is lost."""
        size = len(mass)
        far = min(abs(way), size)
        if way > 0:
            mass[far:] = mass[:size - far].copy()
            mass[:far] = 0.0
        else:
            mass[:size - far] = mass[far:].copy()
            mass[size - far:] = 0.0
        for at in self._breaks:  # nothing crosses from one traverse into the next
            if way > 0:
                mass[at:at + way] = 0.0
            else:
                mass[max(0, at + way):at] = 0.0

    def _leave_and_enter(self, passed: float) -> None:
        on = self._mass.sum(axis=1, dtype=np.float64)
        lost = max(0.0, 1.0 - float(on.sum()) - self.off_map)
        off = self._off + lost / _SPEEDS
        leaves, enters = self.model.leave_rate * passed, self.model.enter_rate * passed
        # Leaving and entering do not change the speed, as far as speeds are held.
        going = on * leaves if len(on) > 1 else np.full(_SPEEDS, on[0] * leaves / _SPEEDS)
        coming = off * enters if len(on) > 1 else np.array([off.sum() * enters])
        # Who was carried comes back elsewhere on the map, as who had left it does.
        jumps = max(self.model.enter_rate, _ROAMING_JUMP if self.graph.roaming else 0.0) * passed
        coming = coming + jumps * on
        self._mass *= np.float32(1.0 - leaves - jumps)
        self._mass += (coming[:, None] / self.graph.size).astype(np.float32)
        self._off = off * (1.0 - enters) + going

    def _normalise(self) -> None:
        total = float(self._mass.sum(dtype=np.float64)) + self.off_map
        self._mass *= np.float32(1.0 / total)
        self._off /= total
