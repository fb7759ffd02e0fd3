# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
How near do descriptors of different places come? Answered by the map itself.

Places further than ``FAR`` metres apart are different places. Two distributions
of their distances are kept:

* of all such pairs: its quantile at a requested false-match rate is the
  distance up to which a match is accepted;
* of each place to the nearest such place, which is what the best match of a
  robot off the map looks like: it turns a distance into a confidence.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.places import PlaceTable

FAR = 5.0
"""Places further apart than this (metres) are different places."""

DEFAULT_FALSE_MATCH_RATE = 0.001
"""Share of the pairs of different places that may be as near as an accepted match."""

_SAMPLE = 1000


@dataclass(frozen=True)
class Calibration:
    """
    Distances of wrong matches in a map.

    :ivar samples: places that were asked.
    :ivar far: metres from which a match counts as wrong.
    :ivar pairs: how many pairs of different places are 0, 1, 2 … bits apart.
    :ivar nearest: how many places have their nearest different place 0, 1, 2 … bits away.
    :ivar spacing: median distance of consecutive places, metres.
    """

    samples: int
    far: float
    pairs: tuple[int, ...]
    nearest: tuple[int, ...]
    spacing: float

    # Asked for every frame: the histograms are summed up once.
    @cached_property
    def _pair_share(self) -> NDArray[np.float64]:
        return np.asarray(np.cumsum(self.pairs) / sum(self.pairs))

    @cached_property
    def _nearest_counts(self) -> NDArray[np.int64]:
        return np.cumsum(self.nearest)

    def threshold(self, false_match_rate: float) -> int:
        """
        Return the largest distance (bits) to accept; -1 when even 0 bits are too many.

        :param false_match_rate: share of the pairs of different places, 0..1,
            that may be as near as an accepted match.
        """
        return int(np.searchsorted(self._pair_share, false_match_rate, side='right')) - 1

    def chance(self, distance: int) -> float:
        """
        Return the share of wrong best matches, 0..1, that come as near as this.

        Beyond what the samples resolve the share falls to zero with the distance.
        """
        counts = self._nearest_counts
        smallest = int(np.flatnonzero(counts)[0])
        nearer = int(counts[min(max(distance, 0), len(counts) - 1)])
        rest = min(1.0, distance / max(smallest, 1))
        return (nearer + rest) / (self.samples + 1)

    def to_meta(self) -> dict[str, Any]:
        """Return what is stored in the map."""
        return asdict(self)

    @classmethod
    def from_meta(cls, stored: dict[str, Any]) -> Calibration:
        """Restore what `to_meta` returned."""
        return cls(int(stored['samples']), float(stored['far']), tuple(stored['pairs']),
                   tuple(stored['nearest']), float(stored['spacing']))


def calibrate(table: PlaceTable, sample: int = _SAMPLE, seed: int = 0) -> Calibration | None:
    """
    Measure the distances of different places in a map.

    :param table: the map's places.
    :param sample: how many places are asked, at most; each is compared with all.
    :param seed: of the sample.
    :returns: the calibration, or None where no two places are far apart: such a map
        cannot tell what a wrong match looks like.
    """
    count, size = len(table), table.descriptors.shape[1] * 8 + 1
    if count < 2:
        return None
    picks = (np.arange(count) if count <= sample else
             np.sort(np.random.default_rng(seed).choice(count, sample, replace=False)))
    pairs, nearest = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for chunk in np.array_split(picks, max(1, len(picks) // 16)):
        bits = hamming_distances(table.descriptors[chunk], table.descriptors)
        apart = np.linalg.norm(
            table.positions[chunk, None] - table.positions[None], axis=2) > FAR
        pairs += np.bincount(bits[apart], minlength=size)
        wrong = np.where(apart, bits, size).min(axis=1)[apart.any(axis=1)]
        nearest += np.bincount(wrong, minlength=size)
    if not pairs.any():
        return None
    return Calibration(samples=int(nearest.sum()), far=FAR, pairs=tuple(pairs.tolist()),
                       nearest=tuple(nearest.tolist()), spacing=place_spacing(table))


def place_spacing(table: PlaceTable) -> float:
    """Return the median distance between consecutive places of a traverse, metres."""
    same = np.diff(table.sessions) == 0
    steps = np.linalg.norm(np.diff(table.positions, axis=0), axis=1)[same]
    return float(np.median(steps)) if len(steps) else 0.0
