# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Places and traverses, as they go into a map and come out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.vision.local_features import LocalFeatures


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return which of so many are taken, ``most`` of them or all, evenly from first to last."""
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)


@dataclass(frozen=True)
class NewPlace:
    """
    A place to be stored.

    :ivar thumbnail: JPEG.
    :ivar features: for geometric verification.
    :ivar tokens: of the patches, uint8 ``[rows*columns, token_bits / 8]``.
    """

    stamp_ns: int
    pose: Pose
    descriptor: NDArray[np.uint8]
    thumbnail: bytes | None = None
    features: LocalFeatures | None = None
    tokens: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Session:
    """One traverse of a map."""

    number: int
    source: str
    start_ns: int | None
    end_ns: int | None
    complete: bool

    @property
    def name(self) -> str:
        """Return what a person calls it: the bag or the folder, without the topic."""
        return Path(self.source.partition(':/')[0]).name


@dataclass(frozen=True)
class PlaceTable:
    """
    All places of a map as arrays, ordered by id.

    :ivar ids: int64 ``[n]``.
    :ivar sessions: int64 ``[n]``.
    :ivar stamps: nanoseconds, int64 ``[n]``.
    :ivar positions: metres, float64 ``[n, 3]``.
    :ivar quaternions: x y z w, float64 ``[n, 4]``.
    :ivar geodetic: latitude, longitude, altitude, float64 ``[n, 3]``; NaN where unknown.
    :ivar descriptors: uint8 ``[n, bits / 8]``.
    """

    ids: NDArray[np.int64]
    sessions: NDArray[np.int64]
    stamps: NDArray[np.int64]
    positions: NDArray[np.float64]
    quaternions: NDArray[np.float64]
    geodetic: NDArray[np.float64]
    descriptors: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self.ids)

    def pose(self, row: int) -> Pose:
        """Return the pose of a place, with its coordinates where they are known."""
        lat, lon, alt = (float(v) for v in self.geodetic[row])
        return Pose(self.positions[row], self.quaternions[row],
                    (lat, lon, alt) if np.isfinite([lat, lon]).all() else None)
