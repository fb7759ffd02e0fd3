# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which places lie beside which: where belief can move to."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.pose import Pose

_NEIGHBOURS = 12
_REACH = 2.01   # spacings, along a way
_ROOM = 4.01    # spacings, where places are strewn over position and heading
_CHUNK = 50_000  # states whose neighbours are found at a time: large maps need the memory


def located(positions: NDArray[np.float64], quaternions: NDArray[np.float64], spacing: float,
            angle: float) -> NDArray[np.float64]:
    """
    Return points whose distances count position and heading alike.

    :param positions: metres, ``[n, 3]``.
    :param quaternions: x y z w, ``[n, 4]``.
    :param spacing: metres between places.
    :param angle: radians between places: such a turn is as far as one spacing.
    :returns: ``[n, 6]``, metres.
    """
    forward = Rotation.from_quat(quaternions).apply([1.0, 0.0, 0.0])
    return np.hstack([positions, forward * spacing / angle])


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

    :param positions: of the states, metres, ``[n, 3]``.
    :param quaternions: x y z w, ``[n, 4]``.
    :param spacing: metres between places.
    :param angle: radians between places.
    :param roaming: the map was made by roaming a room, not along a way.
    """

    def __init__(self, positions: NDArray[np.float64], quaternions: NDArray[np.float64],
                 spacing: float, angle: float, roaming: bool = False) -> None:
        """Find the neighbours and the motions that lead to them."""
        self.size = len(positions)
        self.spacing, self.angle, self.roaming = spacing, angle, roaming
        reach = (_ROOM if roaming else _REACH) * spacing
        tree = cKDTree(located(positions, quaternions, spacing, angle))
        counts, targets, motions = [np.zeros(1, np.int64)], [], []
        for first in range(0, self.size, _CHUNK):
            _, near = tree.query(tree.data[first:first + _CHUNK], k=min(_NEIGHBOURS, self.size),
                                 distance_upper_bound=reach, workers=-1)
            found = np.asarray(near).reshape(-1, min(_NEIGHBOURS, self.size))
            rows, cols = np.nonzero(found < self.size)
            target = found[rows, cols]
            counts.append(np.bincount(rows, minlength=len(found)))
            targets.append(target.astype(np.int32))
            inverse = Rotation.from_quat(quaternions[first + rows]).inv()
            step = inverse.apply(positions[target] - positions[first + rows])
            turn = _turns(quaternions[first + rows], quaternions[target])
            motions.append(np.hstack([step, turn], dtype=np.float32, casting='same_kind'))
        self._first = np.cumsum(np.concatenate(counts))
        self._target = np.concatenate(targets)
        self._motion = np.concatenate(motions)

    def way(self, motion: Pose) -> float:
        """Return the length of a motion in places, turns included."""
        turn = float(np.linalg.norm(Rotation.from_quat(motion.quaternion).as_rotvec()))
        return math.hypot(float(np.linalg.norm(motion.position)) / self.spacing,
                          turn / self.angle)

    def move(self, mass: NDArray[np.float32], active: NDArray[np.int64], motion: Pose,
             noise: tuple[float, float]) -> None:
        """
        Move belief by a known motion of at most about one place.

        :param mass: float32 ``[layers, n]``, changed in place.
        :param active: states whose mass moves; the rest is too thin to matter and stays.
        :param motion: of the robot, in its own frame.
        :param noise: standard deviations, metres and radians.

        What no neighbour explains is lost: the robot left the mapped path.
        """
        wanted = np.concatenate([
            motion.position, Rotation.from_quat(motion.quaternion).as_rotvec()])
        scale = np.array([noise[0]] * 3 + [noise[1]] * 3)
        edges, source = self._edges(active)
        error = (self._motion[edges] - wanted.astype(np.float32)) / scale.astype(np.float32)
        weight = np.exp(-0.5 * np.einsum('ij,ij->i', error, error)).astype(np.float64)
        # A motion that fits no edge within about three deviations leads off the map.
        total = np.bincount(source, weight, len(active)) + math.exp(-0.5 * 3.0**2)
        self._carry(mass, active, edges, source, weight / total[source])

    def spread(self, mass: NDArray[np.float32], active: NDArray[np.int64], share: float
               ) -> None:
        """
        Let a share of the belief step to any neighbour.

        :param mass: float32 ``[layers, n]``, changed in place.
        :param active: states whose mass moves.
        :param share: 0..1.
        """
        edges, source = self._edges(active)
        weight = share / np.bincount(source, minlength=len(active))[source]
        weight[self._target[edges] == active[source]] += 1.0 - share
        self._carry(mass, active, edges, source, weight)

    def _edges(self, active: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the edges that leave some states, and for each its index in ``active``."""
        counts = self._first[active + 1] - self._first[active]
        source = np.repeat(np.arange(len(active)), counts)
        begin = np.repeat(self._first[active] - np.cumsum(counts) + counts, counts)
        return begin + np.arange(len(source)), source

    def _carry(self, mass: NDArray[np.float32], active: NDArray[np.int64],
               edges: NDArray[np.int64], source: NDArray[np.int64],
               weight: NDArray[np.float64]) -> None:
        reached, column = np.unique(self._target[edges], return_inverse=True)
        matrix = sparse.csr_matrix((weight.astype(np.float32), (source, column)),
                                   (len(active), len(reached)))
        moving = mass[:, active]
        mass[:, active] = 0.0
        mass[:, reached] += moving @ matrix
