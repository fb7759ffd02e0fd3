# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which states lie nearest to each in position and heading, of maps of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

_SLAB = 25_000  # states whose neighbours are found at a time: large maps need the memory
_SLABS = 100    # at most: each is looked for in the whole map
_ASKED = 100_000  # states that tell where to cut


@dataclass(frozen=True)
class Neighbours:
    """
    For each state those beside it, in one array.

    :ivar first: where they begin in ``targets``, int64 or int32 ``[n]``.
    :ivar counts: how many they are, uint8 ``[n]``.
    :ivar targets: states, int32 ``[edges]``.
    """

    first: NDArray[np.integer]
    counts: NDArray[np.uint8]
    targets: NDArray[np.int32]

    def of(self, states: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the edges that leave some states: the index of each in ``states``, its target."""
        counts = self.counts[states].astype(np.int64)
        source = np.repeat(np.arange(len(states)), counts)
        begin = np.repeat(self.first[states] - np.cumsum(counts) + counts, counts)
        return source, self.targets[begin + np.arange(len(source))]


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


def find_neighbours(positions: NDArray[np.float64], quaternions: NDArray[np.float64],
                    spacing: float, angle: float, reach: float, most: int) -> Neighbours:
    """
    Find the nearest states of each, itself included.

    :param positions: metres, ``[n, 3]``.
    :param quaternions: x y z w, ``[n, 4]``.
    :param spacing: metres between places.
    :param angle: radians between places.
    :param reach: metres, in the sense of `located`.
    :param most: of one state, below 256.
    """
    size = len(positions)
    kind = np.int32 if size * most < 2**31 else np.int64
    first, counts = np.zeros(size, kind), np.zeros(size, np.uint8)
    # Pages that are never written take no memory: most states have fewer neighbours.
    targets, used = np.empty(size * most, np.int32), 0
    for inside, around in _slabs(positions, reach):
        points = located(positions[around], quaternions[around], spacing, angle)
        own = np.searchsorted(around, inside)
        # As good as a balanced tree where states lie along ways, and made in half the time.
        tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
        nearest = min(most, len(around))
        _, near = tree.query(points[own], k=nearest, distance_upper_bound=reach, workers=-1)
        near = np.asarray(near).reshape(-1, nearest)
        known = near < len(around)
        counts[inside] = known.sum(axis=1)
        first[inside] = used + np.cumsum(counts[inside], dtype=np.int64) - counts[inside]
        found = around[near[known]]
        targets[used:used + len(found)] = found
        used += len(found)
    targets.resize(used, refcheck=False)
    return Neighbours(first, counts, targets)


def _slabs(positions: NDArray[np.float64], margin: float
           ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the states of each slice of the map, and those with the ones up to a margin off."""
    along = positions[:, int(np.argmax(np.ptp(positions, axis=0)))]
    slabs = min(-(-len(along) // _SLAB), _SLABS)
    some = along[:: max(1, len(along) // _ASKED)]
    edges = np.quantile(some, np.linspace(0.0, 1.0, slabs + 1)[1:-1])
    for low, high in zip([-np.inf, *edges], [*edges, np.inf]):
        around = np.flatnonzero((along >= low - margin) & (along < high + margin))
        inside = around[(along[around] >= low) & (along[around] < high)]
        if len(inside):
            yield inside, around
