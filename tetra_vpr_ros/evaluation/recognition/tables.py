# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Results as tables: for people, and for programs."""

from __future__ import annotations

from collections.abc import Sequence
import csv
from pathlib import Path

import numpy as np
from tetra_vpr_ros.evaluation.recognition.metrics import RANKS, Result


def table(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table, in per cent."""
    def share(value: float | None) -> str:
        return '-' if value is None or np.isnan(value) else f'{100 * value:.1f}'

    lines = ['| method | filter | n | ' + ' | '.join(f'R@{k}' for k in RANKS) + ' | AP | R@100P '
             '| accepted | right of them | ms p50/p95 | bytes |', '|---' * (9 + len(RANKS)) + '|']
    for r in results:
        low, high = r.ci95[1]
        cells = [f'{share(r.recall[1])} [{share(low)}, {share(high)}]',
                 *(share(r.recall[k]) for k in RANKS[1:]), share(r.ap),
                 share(r.recall_at_100_precision), share(r.accepted),
                 share(r.accepted_precision),
                 f"{r.latency_ms['p50']:.1f}/{r.latency_ms['p95']:.1f}", str(r.bytes_per_place)]
        lines.append(f'| {r.method} | {r.filter_name} | {r.n} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def write_csv(results: Sequence[Result], path: Path) -> None:
    """Write one row for each result."""
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['method', 'filter', 'n', *(f'recall_at_{k}' for k in RANKS),
                         'ci95_low', 'ci95_high', 'ap', 'recall_at_100_precision', 'accepted',
                         'accepted_precision', 'p50_ms', 'p95_ms', 'bytes_per_place'])
        for r in results:
            writer.writerow([r.method, r.filter_name, r.n, *(r.recall[k] for k in RANKS),
                             *r.ci95[1], r.ap, r.recall_at_100_precision, r.accepted,
                             r.accepted_precision, r.latency_ms['p50'], r.latency_ms['p95'],
                             r.bytes_per_place])
