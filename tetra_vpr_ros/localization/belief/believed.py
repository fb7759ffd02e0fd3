# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How much belief each place of a map holds, for whoever wants to see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Believed:
    """
    The belief of one moment.

    :ivar places: probability that the robot is at each place of the map, float32 ``[n]``.
    :ivar off_map: probability that it is off the map.
    """

    places: NDArray[np.float32]
    off_map: float

    def strongest(self, count: int, least: float) -> NDArray[np.int64]:
        """
        Return the places that hold most belief, the most first.

        :param count: how many at most.
        :param least: probability below which a place is left out.
        :returns: rows of the places.
        """
        rows = np.flatnonzero(self.places >= least)
        return np.asarray(rows[np.argsort(-self.places[rows], kind='stable')][:count])
