# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which places lie beside which: where belief can move to."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization.belief.neighbours import find_neighbours
from tetra_vpr_ros.mapping.pose import Pose

_NEIGHBOURS = 12
_REACH = 2.01   # spacings, along a way
_ROOM = 4.01    # spacings, where places are strewn over position and heading


@dataclass(frozen=True)
class Steps:
    """
    Where belief goes from some states.

    :ivar source: index of the state that is left, among those that were asked for, ``[k]``.
    :ivar target: state that is reached, ``[k]``.
    :ivar share: of the belief that goes there, ``[k]``.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int32]
    share: NDArray[np.float32]


def _turns(begin: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return rotation vectors from unit quaternions to others, ``[n, 3]`` radians.

    As ``(Rotation(begin).inv() * Rotation(end)).as_rotvec()``, which takes five times as
    long: a large map has millions of edges.
    """
    a, w = begin[:, :3], begin[:, 3:]
    b, v = end[:, :3], end[:, 3:]
    half = w * b - v * a - np.cross(a, b)
    cosine = w[:, 0] * v[:, 0] + np.einsum('ij,ij->i', a, b)
    half *= np.where(cosine < 0, -1.0, 1.0)[:, None]  # the short way
    sine = np.sqrt(np.einsum('ij,ij->i', half, half))
    angle = 2.0 * np.arctan2(sine, np.abs(cosine))
    scale = np.divide(angle, sine, out=np.full_like(sine, 2.0), where=sine > 1e-12)
    return np.asarray(half * scale[:, None])


class PlaceGraph:
    """
    Each state joined to itself and to its nearest states in position and heading.

    One keyframe's turn counts as much as one keyframe's way: both make a place.

    :param positions: of the states, metres, ``[n, 3]``; kept, not copied.
    :param quaternions: x y z w, ``[n, 4]``; kept, not copied.
    :param spacing: metres between places.
    :param angle: radians between places.
    :param roaming: the map was made by roaming a room, not along a way.
    """

    def __init__(self, positions: NDArray[np.float64], quaternions: NDArray[np.float64],
                 spacing: float, angle: float, roaming: bool = False) -> None:
        """Find the neighbours."""
        self.size = len(positions)
        self.spacing, self.angle, self.roaming = spacing, angle, roaming
        self._positions, self._quaternions = positions, quaternions
        self._neighbours = find_neighbours(
            positions, quaternions, spacing, angle, (_ROOM if roaming else _REACH) * spacing,
            _NEIGHBOURS)

    def way(self, motion: Pose) -> float:
        """Return the length of a motion in places, turns included."""
        turn = float(np.linalg.norm(Rotation.from_quat(motion.quaternion).as_rotvec()))
        return math.hypot(float(np.linalg.norm(motion.position)) / self.spacing,
                          turn / self.angle)

    def moves(self, states: NDArray[np.int64], motion: Pose, noise: tuple[float, float]
              ) -> Steps:
        """
        Return where a known motion of at most about one place leads.

        What no neighbour explains leads nowhere: the robot left the mapped path.

        :param states: that are left.
        :param motion: of the robot, in its own frame.
        :param noise: standard deviations, metres and radians.
        """
        wanted = np.concatenate([
            motion.position, Rotation.from_quat(motion.quaternion).as_rotvec()])
        scale = np.array([noise[0]] * 3 + [noise[1]] * 3)
        source, target = self._neighbours.of(states)
        leads = self._motions(states[source], target)
        error = (leads - wanted.astype(np.float32)) / scale.astype(np.float32)
        weight = np.exp(-0.5 * np.einsum('ij,ij->i', error, error)).astype(np.float64)
        # A motion that fits no edge within about three deviations leads off the map.
        total = np.bincount(source, weight, len(states)) + math.exp(-0.5 * 3.0**2)
        return Steps(source, target, (weight / total[source]).astype(np.float32))

    def sidesteps(self, states: NDArray[np.int64], share: float) -> Steps:
        """
        Return where a share of the belief goes that steps to any neighbour; the rest stays.

        :param states: that are left.
        :param share: 0..1.
        """
        source, target = self._neighbours.of(states)
        weight = share / np.bincount(source, minlength=len(states))[source]
        weight[target == states[source]] += 1.0 - share
        return Steps(source, target, weight.astype(np.float32))

    def _motions(self, begin: NDArray[np.int64], end: NDArray[np.int32]) -> NDArray[np.float32]:
        """
        Return how a robot moves from states to others, metres and radians, ``[k, 6]``.

        Made as they are needed: of all edges they would be most of a large map's memory.
        """
        inverse = Rotation.from_quat(self._quaternions[begin]).inv()
        step = inverse.apply(self._positions[end] - self._positions[begin])
        turn = _turns(self._quaternions[begin], self._quaternions[end])
        return np.hstack([step, turn], dtype=np.float32, casting='same_kind')
