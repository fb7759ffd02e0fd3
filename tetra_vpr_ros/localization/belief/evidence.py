# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a frame says for and against every place: the measurement model of the belief."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from tetra_vpr_ros.mapping.calibration import Calibration, count_bits, moments, SCORE_EDGES
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances

DISCOUNT = 0.5
"""Share of a log-likelihood ratio that counts: frames depend on those before them."""

ALLOWANCE = 1.0
"""Nats per frame that chance explains: an unknown world has its look-alikes, too."""

WEAKEST_MATCH = 0.35
"""Share of its score that a true place keeps in the worst light."""

NOISE = 0.2
"""
Change of a view, in steps of the map, that a camera which stands still does not come to.

Sensor noise of 5 grey levels and JPEG at quality 80 make 0.05 to 0.08.
"""

_ANCHORS = 4       # views that are remembered: of two exposures, or of four quarter turns
_OUTLIERS = 0.05   # share of true places that a passer-by, say, hides
_LARGEST = np.log(1000.0)
_STEP = float(SCORE_EDGES[1] - SCORE_EDGES[0])
_CENTRES = SCORE_EDGES[:-1] + _STEP / 2

Table = NDArray[np.float64]


class Evidence:
    """
    Log-likelihood ratio of "the robot is at this place" to "it is off the map".

    Two things speak for a place. Its *score*, how far it stands out of the map,
    holds in any light: a map shows its places in one light, in another they keep
    only a share of their score, so the density of true places is spread over
    shares of ``WEAKEST_MATCH`` to 1. Its *distance* in bits holds in the light of
    the map only, so it can speak for a place, never against it; but places that
    near are hardly ever different ones, which makes one frame enough. Densities
    come from the map's calibration, beyond what it has seen with exponential tails.

    :param calibration: of the map.
    """

    def __init__(self, calibration: Calibration) -> None:
        """Make the tables."""
        self.scores: NDArray[np.float32] = (
            DISCOUNT * _score_table(calibration) - ALLOWANCE).astype(np.float32)
        """Nats of each bin of `SCORE_EDGES`."""
        self.bits: NDArray[np.float32] = np.maximum(
            _bits_table(calibration), 0.0).astype(np.float32)
        """Nats of a distance of 0, 1, 2 … bits, to be added."""

    def log_ratios(self, distances: NDArray[np.int32], first: bool = False
                   ) -> NDArray[np.float32]:
        """
        Return what a frame says of every place, in nats.

        :param distances: bits between the frame and all places, ``[n]``.
        :param first: the frame depends on none before it: its distances count in full.
        :returns: float32 ``[n]``; 0 speaks neither for the place nor for being off the map.
        """
        mean, deviation = moments(count_bits(distances))
        scores = (mean - np.arange(len(self.bits))) / deviation
        bins = np.clip((scores - SCORE_EDGES[0]) / _STEP, 0, len(self.scores) - 1).astype(int)
        near = self.bits if first else np.float32(DISCOUNT) * self.bits
        # Said of each distance in bits, and looked up for each place.
        said: NDArray[np.float32] = self.scores[bins] + near
        return said[distances]


class ViewAnchor:
    """
    How much of a camera's frames is news.

    A frame is news by how much it changed since the one before, and since the few views before
    that: a picture that alternates, as lamps or exposures do, shows nothing new. But a camera
    that stands still has noise, which would be news with every frame, without end. So small
    changes count by what they add up to since an earlier view, the anchor: bits change like a
    random walk, whose way is the square of the distance to it, and only what that grows by is
    news.

    :param step_bits: from one place of the map to the next.
    """

    def __init__(self, step_bits: float) -> None:
        """Wait for the first view."""
        self._step_bits = max(step_bits, 1.0)
        self._anchors: list[NDArray[np.uint8]] = []  # the newest last
        self._ways: list[float] = []

    def news(self, descriptor: NDArray[np.uint8], change: float) -> float:
        """
        Return how much of a view is news, 0..1; of the first view all.

        :param descriptor: uint8 ``[bits / 8]``.
        :param change: since the view before, 0..1, see `novelty_of`.
        """
        if not self._anchors:
            self._keep(descriptor)
            return 1.0
        bits = hamming_distances(descriptor[None], np.array(self._anchors))[0]
        nearest = int(np.argmin(bits))
        distance = float(bits[nearest]) / self._step_bits
        if min(change, distance) >= NOISE:
            self._keep(descriptor)
            return min(change, distance)
        way = distance**2
        news = max(0.0, way - self._ways[nearest])
        self._ways[nearest] = max(way, self._ways[nearest])
        if way >= 1.0:
            self._keep(descriptor)
        return float(np.sqrt(min(1.0, news)))

    def _keep(self, descriptor: NDArray[np.uint8]) -> None:
        self._anchors = [*self._anchors, descriptor][-_ANCHORS:]
        self._ways = [*self._ways, 0.0][-_ANCHORS:]


def novelty_of(bits: int, step_bits: float) -> float:
    """
    Return how much of a new view a frame is, compared with the one before.

    :param bits: distance between the two frames.
    :param step_bits: distance of consecutive places of the map.
    :returns: 0 for the same picture, 1 for one as different as that of the next
        place of the map, or more so.
    """
    return min(1.0, bits / max(step_bits, 1.0))


def _score_table(calibration: Calibration) -> Table:
    """Return the log-likelihood ratio of each bin of `SCORE_EDGES`; it rises."""
    different = _density(calibration.different_scores, 3, _STEP)
    start = int(np.searchsorted(np.cumsum(different) * _STEP, 0.99))
    beyond, mass = _CENTRES[start:] - _CENTRES[start], different[start:]
    decay = max(float((beyond * mass).sum() / max(mass.sum(), 1e-12)), _STEP)
    different[start:] = 0.01 / decay * np.exp(-beyond / decay)
    seen = np.array(calibration.same_scores, float)
    if not seen.any():  # places without neighbours: what they usually look like
        seen = np.where((_CENTRES > 3) & (_CENTRES < 6), 1.0, 0.0)
    same = _density(sum((
        np.histogram(_CENTRES * share, SCORE_EDGES, weights=seen)[0]
        for share in np.linspace(WEAKEST_MATCH, 1.0, 14)), np.zeros(len(seen))), 6, _STEP)
    table, mode = _log_ratio(same, different, _LARGEST), int(np.argmax(different))
    table[mode:] = np.maximum.accumulate(table[mode:])
    table[:mode] = np.minimum(table[:mode], table[mode])
    return table


def _bits_table(calibration: Calibration) -> Table:
    """Return the log-likelihood ratio of each distance in bits; it falls."""
    size = len(calibration.pairs)
    if not any(calibration.same_bits):
        return np.zeros(size)
    same = _density(calibration.same_bits, size / 64)
    different = _density(calibration.pairs, size / 256)
    counts = np.array(calibration.pairs, float)
    start = int(np.searchsorted(np.cumsum(counts) / counts.sum(), 0.001))
    below, mass = start - np.arange(start + 1), counts[:start + 1]
    decay = max(float((below * mass).sum() / max(mass.sum(), 1e-12)), 1.0)
    different[:start + 1] = 0.001 / decay * np.exp(-below / decay)
    table, mode = _log_ratio(same, different, 7.0), int(np.argmax(different))
    table[:mode + 1] = np.maximum.accumulate(table[:mode + 1][::-1])[::-1]
    table[mode:] = np.minimum(table[mode:], table[mode])
    return table


def _log_ratio(same: Table, different: Table, largest: float) -> Table:
    ratio = (1 - _OUTLIERS) * same / np.maximum(different, 1e-15) + _OUTLIERS
    return np.asarray(np.minimum(np.log(ratio), largest))


def _density(counts: tuple[int, ...] | Table, width: float, step: float = 1.0) -> Table:
    """Smooth a histogram (deviation in bins) and let it integrate to one."""
    smooth = gaussian_filter1d(np.array(counts, float), width)
    return np.asarray(smooth / (smooth.sum() * step))
