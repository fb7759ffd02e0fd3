# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
How sure a single frame would be at each place of a map, and what it would be mistaken for.

Each place is asked as if a frame came from there, against all that are different places in the
sense of the calibration. A frame never repeats the mapped picture: the right place is taken to
look as alike as a place of this map usually does from the next one. How much speaks for it, and
how much for its wrong look-alikes, is weighed as the localizers weigh it. All this is in the light
of the map; in other light right and wrong places both look less alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tetra_vpr_ros.localization.belief.evidence import Evidence
from tetra_vpr_ros.mapping.calibration import calibrate, differ, load_calibration, standing_out
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances, nearest_rows
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import evenly, PlaceTable
from tetra_vpr_ros.mapping.map.token_comparison import SECOND_LOOK, TokenComparison
from tqdm import tqdm

KEPT = 4
"""Look-alikes of a place that are kept, the most alike first, each another place."""

_ASKED = 6000              # places, at most: evenly along the way
_COMPARED = 500_000_000    # pairs of descriptors, at most: some ten seconds
_AT_ONCE = 4_000_000       # of those in memory
_SAMPLE = 300              # places that tell how a place looks when it is seen again
_VIEWS = 3                 # other views of a place that are looked at by their tokens
_CACHED = 4096             # places whose tokens are kept in memory

_Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SeenAgain:
    """
    How alike a place of this map usually is to the same place, seen from the next.

    :ivar bits: between the two.
    :ivar score: of their tokens; NaN where the map has none.
    :ivar known: some place has a next one; else a frame is taken to repeat the picture.
    """

    bits: int
    score: float
    known: bool


@dataclass(frozen=True)
class LookAlikes:
    """
    What each of the asked places looks like.

    :ivar asked: rows of the table, ascending, ``[m]``.
    :ivar sure: probability of the right place for one frame, 0..1, ``[m]``.
    :ivar again: how alike each is to the same place, seen from the next best; the token score,
        without tokens minus the bits; NaN where no other view shows it, ``[m]``.
    :ivar rows: of the wrong look-alikes, most alike first, -1 beyond the last, ``[m, KEPT]``.
    :ivar bits: of them, ``[m, KEPT]``.
    :ivar scores: of their tokens, NaN without, ``[m, KEPT]``.
    :ivar usual: how alike the right place is taken to be.
    :ivar by_tokens: places are told apart by their patch tokens, not by their bits alone.
    :ivar far: metres from which places differ; None where no two do.
    """

    asked: _Rows
    sure: NDArray[np.float64]
    again: NDArray[np.float64]
    rows: _Rows
    bits: NDArray[np.int64]
    scores: NDArray[np.float64]
    usual: SeenAgain
    by_tokens: bool
    far: float | None

    @property
    def usually(self) -> str:
        """Return how alike the same place usually is, in words."""
        return (f'the same place from the next one usually has {self.usual.score:.2f}'
                if self.by_tokens else
                f'the same place is usually {self.usual.bits} bits from the next one')

    @property
    def alike(self) -> NDArray[np.float64]:
        """Return how alike look-alikes are, larger is more: scores, or bits below zero."""
        return self.scores if self.by_tokens else np.where(self.rows < 0, np.nan, -self.bits)


def find_look_alikes(place_map: PlaceMap, table: PlaceTable, progress: bool = True,
                     asked: int = _ASKED) -> LookAlikes:
    """
    Ask a map which of its places look alike.

    :param place_map: open.
    :param table: its places.
    :param progress: show a bar.
    :param asked: places that are asked, at most.
    :raises MapError: the map is damaged, or was calibrated by another version.
    """
    calibration = load_calibration(place_map) or calibrate(table, sample=_SAMPLE)
    count = min(len(table), asked, max(1, _COMPARED // max(len(table), 1)))
    rows = evenly(len(table), count)
    by_tokens = place_map.has_second_look()
    if calibration is None:
        shape, usual = (len(rows), KEPT), SeenAgain(0, float('nan'), False)
        return LookAlikes(rows, np.ones(len(rows)), np.full(len(rows), np.nan),
                          np.full(shape, -1, np.int64), np.zeros(shape, np.int64),
                          np.full(shape, np.nan), usual, by_tokens, None)
    search = _Search(place_map, table, calibration.far, by_tokens,
                     Evidence(calibration))
    return search.run(rows, progress)


class _Search:
    """Compares places of one map with the others."""

    def __init__(self, place_map: PlaceMap, table: PlaceTable, far: float, by_tokens: bool,
                 evidence: Evidence) -> None:
        self.table, self.far, self.by_tokens = table, far, by_tokens
        self.evidence, self.model = evidence, place_map.match_model()
        self.tree = cKDTree(table.positions)
        self.compare = TokenComparison(place_map.token_grid) if by_tokens else None
        self.tokens = lru_cache(maxsize=_CACHED)(place_map.tokens)

    def run(self, rows: _Rows, progress: bool) -> LookAlikes:
        sample = rows[:: max(1, len(rows) // _SAMPLE)]
        usual = self._seen_again(sample)
        shape = (len(rows), KEPT)
        sure, again = np.ones(len(rows)), np.full(len(rows), np.nan)
        found, bits = np.full(shape, -1, np.int64), np.zeros(shape, np.int64)
        scores = np.full(shape, np.nan)
        with tqdm(total=len(rows), desc='look-alikes', unit='place', disable=not progress) as bar:
            for i, (row, distances) in enumerate(self._distances(rows)):
                same = self._same(row)
                again[i] = self._best_same(row, same, distances)[0]
                wrong, alike = self._wrong(row, same, distances)
                sure[i] = self._sure(row, usual, distances, wrong, alike)
                order = self._apart(wrong, np.lexsort((distances[wrong], -alike)))
                found[i, :len(order)] = wrong[order]
                bits[i, :len(order)] = distances[wrong[order]]
                if self.by_tokens:
                    scores[i, :len(order)] = alike[order]
                bar.update()
        return LookAlikes(rows, sure, again, found, bits, scores, usual, self.by_tokens, self.far)

    def _distances(self, rows: _Rows) -> Iterator[tuple[int, NDArray[np.int32]]]:
        """Yield each row and its distances to all places, bits."""
        at_once = max(1, _AT_ONCE // len(self.table))
        for first in range(0, len(rows), at_once):
            part = rows[first:first + at_once]
            yield from zip(part.tolist(), hamming_distances(self.table.descriptors[part],
                                                            self.table.descriptors))

    def _same(self, row: int) -> _Rows:
        """Return the rows that are no different place, this one among them."""
        # A little more than is asked for: the tree rounds otherwise.
        near = np.array(self.tree.query_ball_point(self.table.positions[row], 1.001 * self.far),
                        np.int64)
        metres = np.linalg.norm(self.table.positions[near] - self.table.positions[row], axis=1)
        alike = np.abs(self.table.quaternions[near] @ self.table.quaternions[row])
        return np.union1d(near[~differ(metres, alike, self.far)], [row])

    def _scores(self, row: int, others: _Rows) -> NDArray[np.float64]:
        """Return the token scores of places with a place; NaN where either has none."""
        found, ids = np.full(len(others), np.nan), self.table.ids
        own = self.tokens(int(ids[row]))
        known = {at: tokens for at, other in enumerate(others)
                 if (tokens := self.tokens(int(ids[other]))) is not None}
        if own is not None and known and self.compare is not None:
            found[list(known)] = self.compare.scores(own, np.stack(list(known.values())))
        return found

    def _best_same(self, row: int, same: _Rows, distances: NDArray[np.int32]
                   ) -> tuple[float, int]:
        """Return how alike the most alike other view of a place is, and its bits."""
        others = same[same != row]
        nearest = others[nearest_rows(distances[others], _VIEWS if self.by_tokens else 1)]
        if not self.by_tokens:
            alike = -distances[nearest].astype(np.float64)
        else:
            alike = self._scores(row, nearest)
        if np.isnan(alike).all():
            return float('nan'), 0
        best = int(np.nanargmax(alike))
        return float(alike[best]), int(distances[nearest[best]])

    def _seen_again(self, rows: _Rows) -> SeenAgain:
        """Measure how alike places are to those next to them."""
        found = np.array([self._best_same(row, self._same(row), distances)
                          for row, distances in self._distances(rows)])
        found = found[~np.isnan(found[:, 0])]
        if not len(found):
            return SeenAgain(0, 1.0 if self.by_tokens else float('nan'), False)
        alike, bits = np.median(found, axis=0)
        return SeenAgain(int(bits), float(alike) if self.by_tokens else float('nan'), True)

    def _wrong(self, row: int, same: _Rows, distances: NDArray[np.int32]
               ) -> tuple[_Rows, NDArray[np.float64]]:
        """Return the nearest different places, and how alike they are."""
        apart = distances.copy()
        apart[same] = np.iinfo(np.int32).max
        wrong = nearest_rows(apart, min(SECOND_LOOK, len(self.table) - len(same)))
        if not self.by_tokens:
            return wrong, -distances[wrong].astype(np.float64)
        scores = self._scores(row, wrong)
        return wrong[~np.isnan(scores)], scores[~np.isnan(scores)]

    def _apart(self, wrong: _Rows, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first look-alikes of an order that are different places of each other."""
        chosen: list[int] = []
        for at in order:
            same = [other for other in chosen
                    if np.linalg.norm(self.table.positions[wrong[at]]
                                      - self.table.positions[wrong[other]]) <= self.far]
            if not same:
                chosen.append(int(at))
            if len(chosen) == KEPT:
                break
        return np.array(chosen, np.int64)

    def _sure(self, row: int, usual: SeenAgain, distances: NDArray[np.int32], wrong: _Rows,
              alike: NDArray[np.float64]) -> float:
        """Return what speaks for the right place, as a share of all that speaks."""
        if not len(wrong):
            return 1.0
        seen = distances.copy()
        seen[row] = usual.bits
        rows = np.concatenate([[row], wrong])
        if self.by_tokens and self.model is not None:
            odds = self.model.preferences(
                np.concatenate([[usual.score], alike]), seen[rows] / (8 * self._bytes),
                standing_out(seen)[rows].astype(np.float64))
        else:
            odds = self.evidence.log_ratios(seen, first=True)[rows].astype(np.float64)
        likely = np.exp(odds - odds.max())
        return float(likely[0] / likely.sum())

    @property
    def _bytes(self) -> int:
        return int(self.table.descriptors.shape[1])
