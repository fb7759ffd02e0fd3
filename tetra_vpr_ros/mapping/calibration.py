# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
How far apart are descriptors of different places? Answered by the map itself.

A query at an unknown place is compared with every place of the map, and its
nearest one is wrong by definition. The map's own places play that query: the
distance to the nearest place further than ``FAR`` metres away is what a wrong
best match looks like in this map. A threshold below the r-quantile of these
distances accepts about a share r of wrong best matches.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from tetra_vpr_ros.mapping.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.place_map import PlaceTable

FAR = 5.0
"""Places further apart than this (metres) are different places."""

_SAMPLE = 1000
_QUANTILES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Calibration:
    """
    Distances of wrong matches in a map.

    :ivar samples: places that were asked.
    :ivar far: metres from which a match counts as wrong.
    :ivar quantiles: shares, ascending.
    :ivar nearest_wrong: distance in bits of the nearest wrong place, at each quantile.
    :ivar pair_mean: mean distance of any two places that are far apart, bits.
    :ivar spacing: median distance of consecutive places, metres.
    """

    samples: int
    far: float
    quantiles: tuple[float, ...]
    nearest_wrong: tuple[float, ...]
    pair_mean: float
    spacing: float

    def threshold(self, false_match_rate: float) -> int:
        """
        Return the largest distance (bits) to accept for a false-match rate.

        :param false_match_rate: 0..1, the share of queries at unknown places that
            may be accepted. With fewer than ``1 / rate`` samples the
            smallest wrong distance seen bounds the threshold.
        """
        value = np.interp(false_match_rate, self.quantiles, self.nearest_wrong)
        return int(np.ceil(value)) - 1

    def to_meta(self) -> dict[str, Any]:
        """Return what is stored in the map."""
        return asdict(self)

    @classmethod
    def from_meta(cls, stored: dict[str, Any]) -> Calibration:
        """Restore what `to_meta` returned."""
        return cls(int(stored['samples']), float(stored['far']), tuple(stored['quantiles']),
                   tuple(stored['nearest_wrong']), float(stored['pair_mean']),
                   float(stored['spacing']))


def calibrate(table: PlaceTable, sample: int = _SAMPLE, seed: int = 0) -> Calibration | None:
    """
    Measure the distances of wrong matches in a map.

    :param table: the map's places.
    :param sample: how many places are asked, at most.
    :param seed: of the sample.
    :returns: the calibration, or None where no two places are far apart: such a map
        cannot tell what a wrong match looks like.
    """
    count = len(table)
    if count < 2:
        return None
    picks = (np.arange(count) if count <= sample else
             np.sort(np.random.default_rng(seed).choice(count, sample, replace=False)))
    nearest, total, pairs = [], 0.0, 0
    for chunk in np.array_split(picks, max(1, len(picks) // 16)):
        bits = hamming_distances(table.descriptors[chunk], table.descriptors)
        apart = np.linalg.norm(
            table.positions[chunk, None] - table.positions[None], axis=2) > FAR
        total += float(bits[apart].sum())
        pairs += int(apart.sum())
        wrong = np.where(apart, bits, np.iinfo(np.int32).max).min(axis=1)
        nearest.append(wrong[apart.any(axis=1)])
    distances = np.concatenate(nearest)
    if not len(distances):
        return None
    return Calibration(
        samples=len(distances), far=FAR, quantiles=_QUANTILES,
        nearest_wrong=tuple(float(q) for q in np.quantile(distances, _QUANTILES)),
        pair_mean=total / pairs, spacing=place_spacing(table))


def place_spacing(table: PlaceTable) -> float:
    """Return the median distance between consecutive places of a traverse, metres."""
    same = np.diff(table.sessions) == 0
    steps = np.linalg.norm(np.diff(table.positions, axis=0), axis=1)[same]
    return float(np.median(steps)) if len(steps) else 0.0
