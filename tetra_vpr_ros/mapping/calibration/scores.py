# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
How far places stand out of a map for a query: their score.

Darkness, rain or another camera move all distances of a query together, so each is judged
against the others: ``(mean - distance) / deviation``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SCORE_EDGES = np.arange(-3.0, 15.0 + 0.025, 0.05)
"""Bins of the score histograms, standard deviations."""

_LEAST_DEVIATION = 1e-3  # bits; places that are all alike have none
_AT_A_TIME = 1 << 16     # distances that are counted: more do not fit the cache


def standing_out(distances: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """
    Return the scores of places, in standard deviations.

    :param distances: bits, ``[..., n]``, of queries to all places.
    :returns: float32 of the same shape; larger is more alike.
    """
    values = np.asarray(distances, np.float32)
    mean = values.mean(-1, keepdims=True)
    deviation = np.maximum(values.std(-1, keepdims=True), _LEAST_DEVIATION)
    return np.asarray((mean - values) / deviation, np.float32)


def score_histogram(scores: NDArray[np.floating[Any]], counts: NDArray[np.int64] | None = None
                    ) -> NDArray[np.int64]:
    """
    Count scores in the bins of `SCORE_EDGES`; what lies beyond them counts as at their end.

    :param scores: ``[k]``.
    :param counts: how often each comes, ``[k]``; None for once.
    """
    inside = np.clip(scores, SCORE_EDGES[0], SCORE_EDGES[-1])
    return np.histogram(inside, SCORE_EDGES, weights=counts)[0].astype(np.int64)


def count_bits(distances: NDArray[np.int32], size: int = 1) -> NDArray[np.int64]:
    """
    Count the places at each distance.

    :param distances: bits, ``[n]``.
    :param size: of the result, at least.
    :returns: how many are 0, 1, 2 … bits away.
    """
    counts = np.zeros(size, np.int64)
    for first in range(0, len(distances), _AT_A_TIME):
        some = np.bincount(distances[first:first + _AT_A_TIME], minlength=len(counts))
        some[:len(counts)] += counts
        counts = some
    return counts


def moments(counts: NDArray[np.int64]) -> tuple[float, float]:
    """
    Return what distances are judged by: their mean and their standard deviation.

    :param counts: see `count_bits`; not all zero.
    :returns: bits; the deviation is positive.
    """
    bits, total = np.arange(len(counts)), counts.sum()
    mean = float(counts @ bits / total)
    deviation = float(np.sqrt(counts @ (bits - mean)**2 / total))
    return mean, max(deviation, _LEAST_DEVIATION)
