# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the localizers are given, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization.belief.believed import Believed
from tetra_vpr_ros.localization.estimate import Estimate
from tetra_vpr_ros.localization.mapped_places import MappedPlaces
from tetra_vpr_ros.localization.second_look import SecondLook
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.vision.local_features import LocalFeatures

FILTERS = ('bayes', 'single')
"""Names of the localizers."""


def unknown_filter(name: str) -> str:
    """Say what a localizer of another name may be called."""
    said = f"filter must be one of {', '.join(FILTERS)}, not {name!r}"
    if name == 'seqslam':
        said += ": that is no more, 'bayes' follows a sequence of views better"
    return said


@dataclass(frozen=True)
class View:
    """
    One encoded camera frame.

    :ivar descriptor: uint8 ``[bits / 8]``.
    :ivar camera: index of the camera.
    :ivar features: for geometric verification, where that is wanted.
    :ivar tokens: of the patches, for a second look, uint8 ``[rows*columns, token_bits / 8]``.
    :ivar quarter_turns: by which the picture was turned before it was encoded, 0..3,
        counter-clockwise as by ``np.rot90``; of a camera that looks down.
    """

    descriptor: NDArray[np.uint8]
    camera: int = 0
    features: LocalFeatures | None = None
    tokens: NDArray[np.uint8] | None = None
    quarter_turns: int = 0


class Localizer(Protocol):
    """
    Tells the place of views.

    :ivar false_match_rate: share of wrong matches that is allowed.
    :ivar candidates: how many places an estimate lists.
    """

    false_match_rate: float
    candidates: int

    @property
    def second_look(self) -> SecondLook | None:
        """Return the second look that is taken, or None."""

    @property
    def places(self) -> MappedPlaces:
        """Return what was read of the map."""

    @property
    def table(self) -> PlaceTable:
        """Return the places of the map."""

    def locate(self, views: Sequence[View], stamp_ns: int, odometry: Pose | None = None
               ) -> Estimate:
        """
        Estimate where the robot is.

        :param views: frames taken at the same time, at least one.
        :param stamp_ns: of the frames.
        :param odometry: pose of the robot in the odometry frame at that time, if known.
        """

    def believed(self) -> Believed | None:
        """Return how much belief each place holds now; None where none is kept."""

    def reset(self) -> None:
        """Forget what was seen."""

    def set_prior(self, pose: Pose, covariance: NDArray[np.float64]) -> None:
        """
        Start from a pose that is roughly known; without memory this does nothing.

        :param pose: in the map frame.
        :param covariance: ``[6, 6]``; dimensions whose variance is not positive are ignored,
            unless none is: then x, y and yaw count as exact.
        """
