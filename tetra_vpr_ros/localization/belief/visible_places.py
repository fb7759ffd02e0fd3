# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the cameras of a robot see of the map in each of its states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tetra_vpr_ros.localization.belief.neighbours import located
from tetra_vpr_ros.localization.mapped_places import MappedPlaces, turned

_REACH = 1.5  # spacings up to which a place shows what a camera sees


class VisiblePlaces:
    """
    The place that each camera sees in each state.

    A state is a place as one of the cameras sees it: a robot with one camera sees it in the
    state of the same number, which needs no table.

    :param places: of the map.
    :param yaws: of each camera against that of the mapping run, radians.
    :param positions: of the states, metres, ``[n, 3]``.
    :param quaternions: x y z w, ``[n, 4]``.
    """

    def __init__(self, places: MappedPlaces, yaws: Sequence[float],
                 positions: NDArray[np.float64], quaternions: NDArray[np.float64]) -> None:
        """Find them."""
        self._rows: list[NDArray[np.int32]] = []
        if len(yaws) == 1:
            return
        table, metric = places.table, (places.spacing, places.angle)
        tree = cKDTree(located(table.positions, table.quaternions, *metric))
        for yaw in yaws:
            views = located(positions, turned(quaternions, yaw), *metric)
            _, found = tree.query(views, distance_upper_bound=_REACH * places.spacing)
            self._rows.append(np.where(found < len(table), found, -1).astype(np.int32))

    def __call__(self, camera: int, states: NDArray[np.int64]) -> NDArray[np.int64]:
        """
        Return the rows of the places that a camera sees in some states, -1 for none.

        :param camera: its index.
        :param states: ``[k]``.
        """
        return self._rows[camera][states].astype(np.int64) if self._rows else states

    def of_states(self, camera: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """
        Return what is said of each state, where it is known of each place.

        :param camera: that has seen it.
        :param values: of the places, ``[places]``.
        :returns: ``[n]``; 0 where the camera sees no place.
        """
        if not self._rows:
            return values
        rows = self._rows[camera]
        return np.where(rows >= 0, values[rows], np.float32(0.0))
