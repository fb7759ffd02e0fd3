# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a localizer around another one leaves to that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization.belief.believed import Believed
from tetra_vpr_ros.localization.mapped_places import MappedPlaces
from tetra_vpr_ros.localization.observation import Localizer
from tetra_vpr_ros.localization.second_look import SecondLook
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.mapping.pose import Pose


class WrappingLocalizer:
    """
    All of a `Localizer` but ``locate``.

    :param inner: the localizer that is asked.
    """

    def __init__(self, inner: Localizer) -> None:
        """Keep it."""
        self.inner = inner

    @property
    def places(self) -> MappedPlaces:
        """Return what was read of the map."""
        return self.inner.places

    @property
    def table(self) -> PlaceTable:
        """Return the places of the map."""
        return self.inner.table

    @property
    def second_look(self) -> SecondLook | None:
        """Return the second look of the other localizer, if it takes one."""
        return self.inner.second_look

    @property
    def false_match_rate(self) -> float:
        """Return the share of wrong matches that is allowed."""
        return self.inner.false_match_rate

    @false_match_rate.setter
    def false_match_rate(self, value: float) -> None:
        self.inner.false_match_rate = value

    @property
    def candidates(self) -> int:
        """Return how many places an estimate lists."""
        return self.inner.candidates

    @candidates.setter
    def candidates(self, value: int) -> None:
        self.inner.candidates = value

    def believed(self) -> Believed | None:
        """Return the belief of the other localizer, if it keeps one."""
        return self.inner.believed()

    def reset(self) -> None:
        """Forget what was seen."""
        self.inner.reset()

    def set_prior(self, pose: Pose, covariance: NDArray[np.float64]) -> None:
        """Start from a pose that is roughly known."""
        self.inner.set_prior(pose, covariance)
