# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the localizer says about one frame."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.pose import Pose


@dataclass(frozen=True)
class Candidate:
    """
    A place of the map.

    :ivar distance: to the query in bits.
    :ivar mass: probability that the robot is there; 0 where no belief is kept.
    :ivar score: of the second look, share of the patch tokens' bits that agree, 0..1; NaN
        where there was none.
    :ivar turn: by which the second look has turned the pose from the place's own heading, radians.
    """

    place_id: int
    distance: int
    pose: Pose
    mass: float = 0.0
    score: float = math.nan
    turn: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """
    Where the robot is, how sure that is, and whether to believe it.

    :ivar place_id: the best place; -1 when the map is empty.
    :ivar pose: in the map frame; None when the map is empty.
    :ivar covariance: 6x6, order x y z, rotation about x y z (REP-103), metres
        and radians squared, symmetric positive definite.
    :ivar distance: bits between query and best place.
    :ivar confidence: 0..1. Of a belief, the probability that the robot is near the
        pose; of a single frame, one minus the share of wrong best matches that come
        as near as this one.
    :ivar rejection: why the match is not accepted; empty when it is.
    :ivar candidates: best first.
    :ivar unknown: the robot seems to be in a place that the map does not hold.
    """

    place_id: int
    pose: Pose | None
    covariance: NDArray[np.float64]
    distance: int
    confidence: float
    rejection: str
    candidates: tuple[Candidate, ...]
    unknown: bool = False

    @property
    def score(self) -> float:
        """Return the best place's score of the second look; NaN where there was none."""
        return self.candidates[0].score if self.candidates else math.nan

    @property
    def accepted(self) -> bool:
        """Tell whether the match may be used."""
        return not self.rejection
