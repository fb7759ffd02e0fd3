# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
How far from a place a robot may stand whose picture looks like it.

In a room, or on a way that was driven several times, other views show the same from elsewhere.
Asking the map about its own places, each time without those beside it on the same traverse,
shows how far off the place is that looks most alike, and how that falls with its token score:
a frame from beside the mapped way is told by a lower one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances, nearest_rows
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.mapping.map.token_comparison import SECOND_LOOK, TokenComparison

SAME_WAY = math.cos(math.radians(60.0) / 2)
"""Product of quaternions from which two poses look about the same way."""

Tokens = Callable[[int], 'NDArray[np.uint8] | None']

_SAMPLE = 300     # places that are asked, at most
_BESIDE = 5       # places before and after, at least: neighbours tell nothing new
_FEWEST = 10      # errors from which a map can tell
_NEAR = 3.0       # spacings within which a place must have been seen on another pass
_REACH = 8.0      # spacings beyond which the match is another place, not one that is off
_SLOPE = 10.0, 4.0  # before anything is known: mean and deviation in three rendered rooms
_LEVEL = 1.0      # likewise of the level, about that of one spacing
_MOST = 1e3       # that level and slope can be


@dataclass(frozen=True)
class PositionErrors:
    """
    Deviation of the position of a place that looks like a frame: ``exp(level - slope s)``.

    s is the token score of the frame and the place, see `TokenScores`.

    :ivar level: logarithm of metres.
    :ivar slope: >= 0.
    :ivar least: deviation below which none goes, metres.
    :ivar most: deviation above which none goes, metres.
    :ivar typical: deviation of the match in the middle, metres: what the map resolves.
    :ivar samples: errors that it was fitted to.
    """

    level: float
    slope: float
    least: float
    most: float
    typical: float
    samples: int

    def deviation(self, score: float) -> float:
        """
        Return the standard deviation along each axis, metres.

        :param score: of the tokens, 0..1.
        """
        return min(max(math.exp(self.level - self.slope * score), self.least), self.most)

    def to_meta(self) -> dict[str, Any]:
        """Return what is stored in the map."""
        return asdict(self)

    @classmethod
    def from_meta(cls, stored: Any) -> PositionErrors:
        """
        Restore what `to_meta` returned.

        :raises ValueError: a value is missing or cannot be what it should be.
        """
        found = {}
        for field in fields(cls):
            value = stored.get(field.name) if isinstance(stored, dict) else None
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not (
                    abs(value) <= (_MOST if field.name in ('level', 'slope') else 1e9)):
                raise ValueError(f'position errors: {field.name} is {value!r:.80}')
            found[field.name] = value
        if found['slope'] < 0 or not 0 < found['least'] <= found['typical'] <= found['most']:
            raise ValueError('position errors: slope or bounds make no sense')
        return cls(found['level'], found['slope'], found['least'], found['most'],
                   found['typical'], int(found['samples']))


def load_position_errors(place_map: PlaceMap) -> PositionErrors | None:
    """
    Return what a map knows of the errors of its matches, or None where it does not.

    :raises MapError: what is stored is damaged.
    """
    stored = place_map.value('position_errors')
    try:
        return PositionErrors.from_meta(stored) if stored else None
    except ValueError as error:
        raise MapError(f'{place_map.path}: {error}; run calibrate_map --map {place_map.path}'
                       ) from error


def measure_position_errors(table: PlaceTable, spacing: float, tokens: Tokens,
                            grid: tuple[int, int], seed: int = 0) -> PositionErrors | None:
    """
    Ask the map how far off its matches are.

    :param table: the map's places.
    :param spacing: metres between them.
    :param tokens: returns the patch tokens of a place by its id, or None.
    :param grid: of the tokens.
    :param seed: of the places that are asked.
    :returns: None where too few places were seen from elsewhere, on a way that was driven once
        for instance: then a robot can be expected on that way.
    """
    compare = TokenComparison(grid)
    picks = (np.arange(len(table)) if len(table) <= _SAMPLE else
             np.sort(np.random.default_rng(seed).choice(len(table), _SAMPLE, replace=False)))
    found = np.array([
        (score, error) for row in picks
        for score, error in _match_elsewhere(int(row), table, _NEAR * spacing, tokens, compare)
        if error <= _REACH * spacing]).reshape(-1, 2)
    if len(found) < _FEWEST:
        return None
    return _fit(found[:, 0], found[:, 1], spacing, _dimensions(table))


def _match_elsewhere(row: int, table: PlaceTable, near: float, tokens: Tokens,
                     compare: TokenComparison) -> Iterator[tuple[float, float]]:
    """Yield score and error (metres) of the match of a place that other passes saw, too."""
    own = tokens(int(table.ids[row]))
    ways = np.linalg.norm(table.positions - table.positions[row], axis=1)
    # Beside it is what was passed without having been away, and a few places in any case.
    away = np.flatnonzero((ways > near) | (table.sessions != table.sessions[row]))
    gap = int(np.searchsorted(away, row))
    first = min(row - _BESIDE, int(away[gap - 1]) + 1 if gap else 0)
    last = max(row + _BESIDE, int(away[gap]) - 1 if gap < len(away) else len(table))
    beside = slice(max(0, first), last + 1)
    other = np.ones(len(table), bool)
    other[beside] = table.sessions[beside] != table.sessions[row]
    alike = np.abs(table.quaternions @ table.quaternions[row]) >= SAME_WAY
    if own is None or not (other & alike & (ways <= near)).any():
        return
    rows = np.flatnonzero(other)
    bits = hamming_distances(table.descriptors[row:row + 1], table.descriptors[rows])[0]
    stored = [(at, known) for at in rows[nearest_rows(bits, SECOND_LOOK)]
              if (known := tokens(int(table.ids[at]))) is not None]
    if not stored:
        return
    scores = compare.scores(own, np.stack([known for _, known in stored]))
    best = int(np.argmax(scores))
    at = stored[best][0]
    if alike[at]:
        yield float(scores[best]), float(ways[at])


def _dimensions(table: PlaceTable) -> int:
    """Return in how many directions the places spread: two for a robot on a floor."""
    spread = table.positions.std(0)
    return 3 if spread[2] > 0.25 * spread[:2].max() else 2


def _fit(scores: NDArray[np.float64], errors: NDArray[np.float64], spacing: float,
         dimensions: int) -> PositionErrors:
    """Fit normal errors whose deviation depends on the score, by maximum a posteriori."""
    from scipy.optimize import minimize  # only here: a robot would start later for it
    middle, typical = float(np.median(scores)), math.log(spacing / math.sqrt(3.0))

    def loss(values: NDArray[np.float64]) -> float:
        log = values[0] - values[1] * (scores - middle)
        each = dimensions * log + 0.5 * errors**2 * np.exp(-2.0 * log)
        return float(each.sum() + 0.5 * ((values[1] - _SLOPE[0]) / _SLOPE[1])**2
                     + 0.5 * ((values[0] - typical) / _LEVEL)**2)

    start = math.log(max(math.sqrt(float(np.mean(errors**2)) / dimensions), 1e-3))
    level, slope = minimize(loss, np.array([start, 5.0]),
                            bounds=[(start - 5.0, start + 5.0), (0.0, 100.0)]).x
    least, most = spacing / math.sqrt(3.0), _REACH * spacing
    return PositionErrors(float(level + slope * middle), float(slope), least, most,
                          min(max(math.exp(level), least), most), len(errors))
