# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recall with intervals, precision-recall curves, and what was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

RANKS = (1, 5, 10, 20)


@dataclass(frozen=True)
class Answers:
    """
    What a method answered to each query.

    :ivar ranked: places, best first, -1 beyond the last, int ``[queries, at least 20]``.
    :ivar scores: of the best place, larger is surer, ``[queries]``.
    :ivar accepted: bool ``[queries]``, or None where the method does not decide.
    :ivar seconds: for each query, ``[queries]``.
    :ivar bytes_per_place: of a descriptor, and of the tokens where they were used.
    """

    ranked: NDArray[np.int64]
    scores: NDArray[np.float64]
    accepted: NDArray[np.bool_] | None
    seconds: NDArray[np.float64]
    bytes_per_place: int


@dataclass(frozen=True)
class Result:
    """The figures of one method and filter; `as_json` has the names that scripts rely on."""

    method: str
    filter_name: str
    n: int
    recall: dict[int, float]
    ci95: dict[int, tuple[float, float]]
    ap: float
    recall_at_100_precision: float
    accepted: float | None
    accepted_precision: float | None
    latency_ms: dict[str, float]
    bytes_per_place: int
    curve: tuple[NDArray[np.float64], NDArray[np.float64]] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return plain values; NaN becomes null."""
        def number(value: float | None) -> float | None:
            return None if value is None or np.isnan(value) else round(float(value), 6)

        return {'method': self.method, 'filter': self.filter_name, 'n': self.n,
                'recall': {str(k): number(v) for k, v in self.recall.items()},
                'ci95': {str(k): [number(low), number(high)]
                         for k, (low, high) in self.ci95.items()},
                'ap': number(self.ap),
                'recall_at_100_precision': number(self.recall_at_100_precision),
                'accepted': number(self.accepted),
                'accepted_precision': number(self.accepted_precision),
                'latency_ms': {k: number(v) for k, v in self.latency_ms.items()},
                'bytes_per_place': self.bytes_per_place}


def right_at(answers: Answers, truth: NDArray[np.bool_], k: int) -> NDArray[np.bool_]:
    """Return which queries have a true place among the first ``k``."""
    first = answers.ranked[:, :k]
    found = np.take_along_axis(truth, np.maximum(first, 0), axis=1) & (first >= 0)
    return np.asarray(found.any(axis=1))


def precision_recall(right: NDArray[np.bool_], scores: NDArray[np.float64], positives: int
                     ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return precision and recall of best matches, the surest first.

    :param right: whether each best match is true.
    :param scores: of each.
    :param positives: queries that have a true place.
    """
    order = np.argsort(-scores, kind='stable')
    # A threshold takes all of the same score.
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    taken, true = last + 1.0, np.cumsum(right[order])[last]
    return true / taken, true / max(positives, 1)


def judge(method: str, filter_name: str, answers: Answers, truth: NDArray[np.bool_],
          ranks: Sequence[int] = RANKS) -> Result:
    """
    Compare answers with the truth.

    Recall counts the queries that have a true place; where none has, it is NaN.

    :param method: its name.
    :param filter_name: of the localizer.
    :param answers: to the queries.
    :param truth: bool ``[queries, places]``.
    :param ranks: the ``k`` of recall@k.
    """
    countable = np.asarray(truth.any(axis=1))
    n = int(countable.sum())
    recall, intervals = {}, {}
    for k in ranks:
        hits = int(right_at(answers, truth, k)[countable].sum())
        recall[k] = hits / n if n else float('nan')
        found = binomtest(hits, n).proportion_ci(method='wilson') if n else None
        intervals[k] = (found.low, found.high) if found else (float('nan'), float('nan'))
    right = right_at(answers, truth, 1)
    precision, reached = precision_recall(right, answers.scores, n)
    perfect = reached[precision == 1.0]
    ap = float(np.sum(np.diff(np.append(0.0, reached)) * precision)) if n else float('nan')
    taken = answers.accepted
    share = float(taken.mean()) if taken is not None else None
    true_share = (float(right[taken].mean()) if taken is not None and taken.any() else None)
    milliseconds = 1e3 * answers.seconds
    return Result(method, filter_name, n, recall, intervals, ap,
                  (float(perfect.max()) if len(perfect) else 0.0) if n else float('nan'),
                  share, true_share,
                  {'p50': float(np.percentile(milliseconds, 50)),
                   'p95': float(np.percentile(milliseconds, 95))},
                  answers.bytes_per_place, (precision, reached))
