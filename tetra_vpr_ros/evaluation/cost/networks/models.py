# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What model files take: disk, memory, cold start, latency and throughput."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
import json
from pathlib import Path
import subprocess
import sys

import numpy as np
from tetra_vpr_ros.evaluation.cost.networks.candidates import Candidate
from tetra_vpr_ros.evaluation.cost.timing import in_turns, open_session, random_input


@dataclass
class Row:
    """What was measured of one model."""

    name: str
    weights: str
    size: str
    file_mb: float
    added_rss_mb: float = 0.0
    cold_start_ms: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    p5_ms: float = 0.0
    images_per_s: float = 0.0


def probe(threads: int, *model: Path) -> dict[str, float]:
    """Ask a fresh process for its peak memory and cold start; see `memory_probe`."""
    done = subprocess.run(
        [sys.executable, '-m', 'tetra_vpr_ros.evaluation.cost.networks.memory_probe', str(threads),
         *(str(path) for path in model)], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    return {key: float(value) for key, value in answer.items()}


def measure_models(candidates: Sequence[Candidate], threads: int, iterations: int) -> list[Row]:
    """Measure file, memory, cold start, latency and throughput of models, in turns."""
    processes = min(3, iterations)
    sessions = [open_session(candidate.path, threads) for candidate in candidates]
    singles = [random_input(session, 1) for session in sessions]
    times = in_turns([partial(session.run, None, x) for session, x in zip(sessions, singles)],
                     iterations, 'latency')
    batches = [random_input(session, 8) for session in sessions]
    rates = in_turns([partial(session.run, None, x) for session, x in zip(sessions, batches)],
                     max(processes, iterations // 10), 'batches of 8')
    base = min(probe(threads)['peak_rss'] for _ in range(processes))
    rows = []
    for candidate, session, seconds, rate in zip(candidates, sessions, times, rates):
        probes = [probe(threads, candidate.path) for _ in range(processes)]
        shape = session.get_inputs()[0].shape
        height, width = shape[1:3] if shape[-1] == 3 else shape[2:]
        p5, p50, p95, p99 = (1e3 * np.percentile(seconds, q) for q in (5, 50, 95, 99))
        rows.append(Row(
            f'{candidate.name}/{candidate.weights}@{height}x{width}', candidate.weights,
            f'{height}x{width}', candidate.path.stat().st_size / 1e6,
            (min(p['peak_rss'] for p in probes) - base) / 1e6,
            1e3 * float(np.median([p['seconds'] for p in probes])),
            p50, p95, p99, p5, 8 / float(np.median(rate))))
    return rows
