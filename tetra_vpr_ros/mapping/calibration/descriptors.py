# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure how near descriptors of the same and of different places come.

The map itself answers: places more than `FAR` of its spacings or `OTHER_WAY` of heading
apart are different places, neighbours on the map (better: neighbours from different
traverses) are the same place seen twice. Kept are

* the distances of all pairs of different places: their quantile at a requested
  rate is the distance up to which a single frame is accepted;
* the distances of each place to the nearest different one, which is what the
  best match of a robot off the map looks like: they turn a distance into a
  confidence;
* how near true places come, and how far true and different places stand out of
  the map (the *score* of `standing_out`): the measurement model of the belief.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tetra_vpr_ros.mapping.calibration.pairs import Pairs
from tetra_vpr_ros.mapping.calibration.scores import SCORE_EDGES, score_histogram
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tqdm import tqdm

FAR = 5.0
"""Places further apart than this many spacings of the map, or half of a small map, differ."""

DEFAULT_FALSE_MATCH_RATE = 0.001
"""Share of wrong matches among the accepted that is allowed."""

CHI2_95 = 5.991
"""Squared deviations that hold 95 % of normal errors on a plane."""

_SAMPLE = 1000
_LEAST_SPACING = 0.1  # metres; a robot that turned on the spot has none
_LONG = 100_000  # places whose calibration is worth a progress bar
_ALONG = 4  # places of a way that are as far away as two steps
# Where there is no drive the next place is so many times as far away as those beside it, and so
# large a share of the whole map.
_UNORDERED, _LEAP = 10.0, 0.2
_PAIRS = 16_000_000  # that are compared at a time: 64 MB
_ENOUGH = 50  # pairs of different traverses that are preferred to neighbours of one
_HISTOGRAMS = ('pairs', 'nearest', 'same_scores', 'different_scores', 'same_bits')
_MOST = 10**12  # that a count or a figure of a calibration can be


@dataclass(frozen=True)
class Calibration:
    """
    Distances and scores of right and wrong matches in a map.

    :ivar samples: places that were asked.
    :ivar far: metres from which a match counts as wrong; turned by `OTHER_WAY` it does, too.
    :ivar pairs: how many pairs of different places are 0, 1, 2 … bits apart.
    :ivar nearest: how many places have their nearest different place 0, 1, 2 … bits away.
    :ivar spacing: median distance of consecutive places, metres.
    :ivar positives: queries with a true place.
    :ivar source: of the positives: ``neighbours``, ``traverses`` or ``queries``.
    :ivar same_scores: histogram of the scores of true places, bins `SCORE_EDGES`.
    :ivar different_scores: the same of different places.
    :ivar same_bits: how many true places are 0, 1, 2 … bits away.
    :ivar step_bits: median distance of consecutive places in bits.
    :ivar covariance_scale: by which the covariance is inflated so that an ellipse of 95 %
        holds 95 % of the errors of the positives.
    """

    samples: int
    far: float
    pairs: tuple[int, ...]
    nearest: tuple[int, ...]
    spacing: float
    positives: int
    source: str
    same_scores: tuple[int, ...]
    different_scores: tuple[int, ...]
    same_bits: tuple[int, ...]
    step_bits: float
    covariance_scale: float

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
        """
        Restore what `to_meta` returned.

        :raises KeyError: an older version stored less.
        :raises ValueError: a value cannot be what it should be.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = stored[field.name]
            if field.name in _HISTOGRAMS:
                right = isinstance(value, (list, tuple)) and all(map(_is_count, value))
            elif field.name == 'source':
                right = isinstance(value, str)
            else:
                right = _is_count(value) or (isinstance(value, float) and 0 <= value <= _MOST)
            if not right:
                raise ValueError(f'{field.name} is {value!r:.80}')
            values[field.name] = tuple(value) if isinstance(value, list) else value
        found = cls(**values)
        scores = len(SCORE_EDGES) - 1
        if {len(found.same_scores), len(found.different_scores)} != {scores} or len(
                {len(found.pairs), len(found.nearest), len(found.same_bits)}) != 1:
            raise ValueError('histograms have a wrong length')
        if not any(found.pairs) or not any(found.nearest) or not found.covariance_scale:
            raise ValueError('it was made from nothing')
        return found


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MOST


def load_calibration(place_map: PlaceMap) -> Calibration | None:
    """
    Return the calibration of a map, or None where it has none.

    :raises MapError: an older version calibrated it, or what is stored is damaged.
    """
    stored = place_map.meta().get('calibration')
    try:
        found = Calibration.from_meta(stored) if stored else None
    except KeyError as error:
        raise MapError(f'{place_map.path} was calibrated by another version of this package: '
                       f'run calibrate_map --map {place_map.path}') from error
    except ValueError as error:
        raise MapError(f'{place_map.path} has a damaged calibration: {error}; '
                       f'run calibrate_map --map {place_map.path}') from error
    if found is not None and len(found.pairs) != place_map.bits + 1:
        raise MapError(f'{place_map.path} has a calibration of {len(found.pairs) - 1} bits for '
                       f'descriptors of {place_map.bits}: run calibrate_map --map '
                       f'{place_map.path}')
    return found


def calibrate(table: PlaceTable, queries: PlaceTable | None = None, sample: int = _SAMPLE,
              seed: int = 0) -> Calibration | None:
    """
    Measure the distances and scores of same and of different places in a map.

    :param table: the map's places.
    :param queries: a traverse that is not in the map, with poses; None asks the
        map about its own places, each time without the one that asks.
    :param sample: how many places are asked, at most; each is compared with all.
    :param seed: of the sample.
    :returns: the calibration, or None where no two places are far apart or look another way:
        such a map cannot tell what a wrong match looks like.
    """
    asked = table if queries is None else queries
    count, size = len(asked), table.descriptors.shape[1] * 8 + 1
    if count < 1 or len(table) < 2:
        return None
    picks = (np.arange(count) if count <= sample else
             np.sort(np.random.default_rng(seed).choice(count, sample, replace=False)))
    spacing = place_spacing(table)
    # Another traverse runs beside the map, not on it.
    near = (1.5 if queries is None else 0.8 * FAR) * max(spacing, _LEAST_SPACING)
    far = min(FAR * max(spacing, _LEAST_SPACING), 0.5 * float(np.linalg.norm(
        np.ptp(table.positions, axis=0))))
    found = Pairs(table, asked, queries is None, near, far)
    rows = int(np.clip(_PAIRS // len(table), 1, 16))
    chunks = np.array_split(picks, -(-len(picks) // rows))
    for chunk in tqdm(chunks, desc='calibrating', leave=False, disable=len(table) < _LONG):
        found.add(chunk)
    if not found.apart.any():
        return None
    several = len(found.across) >= _ENOUGH
    true = found.across if several else found.within
    source = 'queries' if queries is not None else 'traverses' if several else 'neighbours'
    scores, errors, bits = np.array(true).reshape(-1, 3).T
    # Neighbours of one traverse are apart by definition: their errors tell nothing.
    scale = 1.0
    if source != 'neighbours' and len(errors):
        floor = max(spacing, _LEAST_SPACING) ** 2 / 3
        scale = float(np.clip(np.quantile(errors, 0.95) ** 2 / (CHI2_95 * floor), 1.0, 25.0))
    return Calibration(
        samples=int(found.nearest.sum()), far=far, pairs=tuple(found.apart.tolist()),
        nearest=tuple(found.nearest.tolist()), spacing=spacing, positives=len(true),
        source=source, same_scores=tuple(score_histogram(scores).tolist()),
        different_scores=tuple(found.different.tolist()),
        same_bits=tuple(np.bincount(bits.astype(int), minlength=size).tolist()),
        step_bits=step_bits(table),
        covariance_scale=scale)


def place_spacing(table: PlaceTable) -> float:
    """
    Return the median distance between consecutive places of a traverse, metres.

    Where the order is that of no drive it is the distance of places beside each other.
    """
    same = np.diff(table.sessions) == 0
    steps = np.linalg.norm(np.diff(table.positions, axis=0), axis=1)[same]
    if not len(steps):
        return 0.0
    spacing = float(np.median(steps))
    if spacing <= _LEAP * float(np.linalg.norm(np.ptp(table.positions, axis=0))):
        return spacing
    beside = _spacing_beside(table)
    return beside if spacing > _UNORDERED * beside > 0.0 else spacing


def _spacing_beside(table: PlaceTable) -> float:
    """Return half the distance to the fourth nearest place of a traverse, metres, or 0."""
    rows = np.arange(0, len(table), max(1, len(table) // _SAMPLE))
    found = []
    for session in np.unique(table.sessions):
        positions = table.positions[table.sessions == session]
        asked = table.positions[rows[table.sessions[rows] == session]]
        if len(positions) > _ALONG and len(asked):
            found.append(cKDTree(positions).query(asked, _ALONG + 1)[0][:, _ALONG])
    # Along a way two of the four are before a place and two behind it.
    return float(np.median(np.concatenate(found))) / 2 if found else 0.0


def step_bits(table: PlaceTable) -> float:
    """Return the median distance between consecutive places of a traverse, bits."""
    same = np.diff(table.sessions) == 0
    pairs = np.flatnonzero(same)[:: max(1, int(same.sum()) // _SAMPLE)]
    if not len(pairs):
        return table.descriptors.shape[1] * 8 / 4
    return float(np.median([hamming_distances(table.descriptors[i:i + 1],
                                              table.descriptors[i + 1:i + 2])[0, 0]
                            for i in pairs]))
