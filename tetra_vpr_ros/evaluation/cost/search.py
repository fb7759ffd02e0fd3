# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the search for the nearest places takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import faiss
import numpy as np
from tetra_vpr_ros.evaluation.cost.timing import in_turns
from tetra_vpr_ros.mapping import HammingIndex


def measure_search(bits: int, iterations: int, sizes: Sequence[int]) -> list[dict[str, object]]:
    """Time the nearest ten places on one thread; the places are random descriptors."""
    rng = np.random.default_rng(0)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    rows: list[dict[str, object]] = []
    try:
        for places in sizes:
            descriptors = rng.integers(0, 256, (places, bits // 8), dtype=np.uint8)
            index = HammingIndex.build(np.arange(places), descriptors)
            noise = (rng.random((bits,)) < 0.2).astype(np.uint8)
            query = descriptors[:1] ^ np.packbits(noise, bitorder='little')
            seconds, = in_turns([partial(index.search, query, 10)],
                                max(5, min(iterations, 2_000_000 // places)), f'{places} places')
            rows.append({'index': 'flat', 'places': places, 'bits': bits,
                         'p50_ms': 1e3 * float(np.median(seconds)),
                         'p95_ms': 1e3 * float(np.percentile(seconds, 95))})
    finally:
        faiss.omp_set_num_threads(before)
    return rows
