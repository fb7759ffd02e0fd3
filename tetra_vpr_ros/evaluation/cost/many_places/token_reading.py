# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What it takes to read the patch tokens of a frame's candidates from a large map."""

from __future__ import annotations

import os
from pathlib import Path
import time

import numpy as np
from tetra_vpr_ros.mapping import PlaceMap

_CANDIDATES = 20
_FRAMES = 60


def measure_token_reading(path: Path, seed: int = 0) -> dict[str, float]:
    """
    Read the tokens of places that were drawn by lot, as a second look does.

    :param path: of a map with tokens.
    :param seed: of the lot.
    :returns: ``tokens_ms``, the median of twenty places that the system keeps in memory, and
        ``tokens_disk_ms`` of such that it was told to forget, with ``tokens_disk_p95_ms``.
    """
    rng = np.random.default_rng(seed)
    known: list[float] = []
    forgotten: list[float] = []
    with PlaceMap.open_file(path) as place_map:
        count = len(place_map)
        for _ in range(_FRAMES):
            ids = rng.integers(1, count + 1, _CANDIDATES).tolist()
            _forget(path)
            for seconds in (forgotten, known):
                began = time.perf_counter()
                for place in ids:
                    place_map.tokens(place)
                seconds.append(time.perf_counter() - began)
    return {'tokens_ms': 1e3 * float(np.median(known)),
            'tokens_disk_ms': 1e3 * float(np.median(forgotten)),
            'tokens_disk_p95_ms': 1e3 * float(np.percentile(forgotten, 95))}


def _forget(path: Path) -> None:
    """Tell the system that it needs to keep nothing of a file in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
