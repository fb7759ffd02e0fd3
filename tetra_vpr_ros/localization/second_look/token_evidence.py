# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a second look at a frame says for and against every place."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization.mapped_places import MappedPlaces
from tetra_vpr_ros.localization.second_look.looking import Looks, SecondLook
from tetra_vpr_ros.mapping.calibration import count_bits, moments
from tetra_vpr_ros.mapping.map.hamming_index import nearest_rows

HIDDEN = 0.05
"""Share of the frames of a known place that look like none: somebody stands in the way."""

_LARGEST = math.log(1000.0)  # nats that one frame can say for being on the map


@dataclass(frozen=True)
class Seen:
    """
    A frame after its second look.

    :ivar rows: of the places that were looked at, in the table of places, ``[k]``.
    :ivar shares: probability of each to be the right place, given that one of them is,
        ``[k]``.
    :ivar looks: scores and shifts, ``[k]``.
    :ivar of_the_map: log-likelihood ratio of the frame being one of the map, nats.
    :ivar nothing: it looks more like darkness or noise than like its best place.
    """

    rows: NDArray[np.int64]
    shares: NDArray[np.float64]
    looks: Looks
    of_the_map: float
    nothing: bool = False

    def score_among(self, rows: NDArray[np.int64]) -> float | None:
        """Return the best token score of some places; None where none was looked at."""
        here = np.isin(self.rows, rows)
        return float(self.looks.scores[here].max()) if here.any() else None


class TokenEvidence:
    """
    Log-likelihood ratio of "the robot is at this place" to "it is off the map".

    With ``P(i)`` the probability of place i of n given that the frame shows the map, and r the
    log-likelihood ratio of such a frame to one of a foreign world, by Bayes' rule

    ``e_i = log(n P(i)) + log((1 - h) exp(r) + h)``, h the share of frames that are hidden.

    P is that of the candidates, but for the share of frames that miss their place, which may
    then be any. A clear frame misses it less: by Bayes' rule again, of frames with ratio r
    ``m / (m + (1 - m) exp(r))`` do if those look foreign. In other light than the map's right
    matches look foreign, too, so that it is never more than the average, m.

    Nothing in it is of the map: its model knows the numbers.

    :param look: compares the tokens, and knows the model of matches.
    :param ids: of the map's places, ascending, int64 ``[n]``.
    :param bits: of a descriptor.
    """

    def __init__(self, look: SecondLook, ids: NDArray[np.int64], bits: int) -> None:
        """Keep them."""
        self.look, self.model = look, look.model
        self._ids, self._bits = ids, bits

    @classmethod
    def of(cls, look: SecondLook | None, places: MappedPlaces) -> TokenEvidence | None:
        """Return the evidence of a map's places; None where no second look is taken."""
        return cls(look, places.table.ids, places.bits) if look is not None else None

    def see(self, tokens: NDArray[np.uint8] | None, distances: NDArray[np.int32],
            believed: NDArray[np.int64] | None = None) -> Seen | None:
        """
        Look at the nearest places, and at those that are believed in.

        :param tokens: of the frame, uint8 ``[rows*columns, token_bits / 8]``, or None.
        :param distances: to all places, bits, ``[n]``.
        :param believed: rows of places that are looked at in any case, ascending.
        :returns: None where the frame or the nearest place is without tokens.
        """
        if tokens is None:
            return None
        nearest = nearest_rows(distances, self.look.count)
        rows = np.sort(nearest) if believed is None else np.union1d(nearest, believed)
        looks = self.look(tokens, self._ids[rows])
        if self._ids[nearest[0]] not in looks.ids:
            return None  # of a part of the map that has none: all is told by the descriptors
        rows = np.searchsorted(self._ids, looks.ids)
        shares = distances[rows] / self._bits
        mean, deviation = moments(count_bits(distances))
        standing = np.asarray((mean - distances[rows]) / deviation, np.float64)
        preferences = self.model.preferences(looks.scores, shares, standing, looks.compared)
        best = int(np.argmax(preferences))
        likely = np.exp(preferences - preferences[best])
        of_the_map = self.model.of_the_map(float(looks.scores[best]), float(shares[best]),
                                           float(looks.compared[best, 0]))
        # A covered lens looks like a blank wall of the map, and more like a covered lens.
        nothing = of_the_map > 0.0 and self.look.nothing(tokens) >= float(looks.scores[best])
        return Seen(rows, likely / likely.sum(), looks, 0.0 if nothing else of_the_map, nothing)

    def log_ratios(self, seen: Seen) -> tuple[np.float32, NDArray[np.float32]]:
        """
        Return ``e_i`` of every place in two parts, nats.

        :returns: what the best place gains, ``max e_i``, one number, and ``e_i - max e_i``,
            float32 ``[n]``.
        """
        ratio = math.exp(min(seen.of_the_map, _LARGEST))
        missed = self.model.missed
        missed = min(missed, missed / (missed + (1.0 - missed) * ratio))
        likely = (1.0 - missed) * len(self._ids) * seen.shares + missed
        ratios = np.full(len(self._ids), math.log(missed), np.float32)
        ratios[seen.rows] = np.log(likely)
        ratios += np.float32(math.log((1.0 - HIDDEN) * ratio + HIDDEN))
        best = np.float32(ratios.max())
        return best, ratios - best

    def foreign(self, ratio: float, false_match_rate: float) -> str:
        """
        Say why a frame may be one of a foreign world.

        :param ratio: see `Seen.of_the_map`.
        :param false_match_rate: share of such frames that may be accepted, 0..1.
        :returns: empty where hardly any reaches the ratio.
        """
        share = self.model.foreign_share(ratio)
        if share <= false_match_rate:
            return ''
        return (f'{share:.2%} of the pictures of foreign worlds look as much like this map; '
                f'{false_match_rate:.2%} are allowed')

    @staticmethod
    def weighted(best: np.float32, below: NDArray[np.float32], novelty: float, first: bool
                 ) -> NDArray[np.float32]:
        """
        Return how the belief is to change: ``e_i`` as far as the frame is news.

        Frames that follow each other say much of the same. Bits change like a random walk,
        so that the way is the square of the novelty: by that counts what each new place
        says of being on the map. Where on it the robot is, frames between two places tell
        better than one, and count by the novelty itself.

        :param best: see `log_ratios`.
        :param below: see `log_ratios`.
        :param novelty: of the view, 0..1.
        :param first: the frame depends on none before it.
        :returns: float32 ``[n]``.
        """
        if first:
            return np.asarray(best + below, np.float32)
        return np.asarray(np.float32(novelty**2) * best + np.float32(novelty) * below,
                          np.float32)
