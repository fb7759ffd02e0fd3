# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The results of methods as a table with bars and intervals."""

from __future__ import annotations

from collections.abc import Sequence

from tetra_vpr_ros.evaluation.recognition.metrics import RANKS, Result
from tetra_vpr_ros.viewing.frame.parts import bar, Html, section, table


def results_table(results: Sequence[Result]) -> Html:
    """Return what is read first: a row for each method and filter, shares as bars."""
    first, *others = RANKS
    head = ['method, filter', f'recall@{first}', 'accepted', 'right of them', 'queries',
            *(f'recall@{k}' for k in others), 'AP', 'recall at 100 % precision', 'ms p50, p95',
            'bytes a place']
    rows = [[f'{r.method}, {r.filter_name}', bar(r.recall[first], *r.ci95[first]),
             bar(r.accepted), bar(r.accepted_precision), r.n,
             *(bar(r.recall[k], *r.ci95[k]) for k in others), bar(r.ap),
             bar(r.recall_at_100_precision),
             f"{r.latency_ms['p50']:.1f}, {r.latency_ms['p95']:.1f}", r.bytes_per_place]
            for r in results]
    return section('Results', table(head, rows, 'results'), lead='Brackets on the bars are '
                   'Wilson intervals of 95 %.')
