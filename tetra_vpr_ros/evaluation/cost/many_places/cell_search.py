# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the search in cells takes, and what it finds of what a flat one finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
import time

import faiss
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.cost.many_places.made_up_way import MadeUpWay
from tetra_vpr_ros.evaluation.cost.timing import in_turns
from tetra_vpr_ros.mapping import CellIndex, HammingIndex
from tqdm import tqdm

_NEAREST = 10
_DARKER = 0.15   # share of the bits in which a query of the same side of the way differs
_AT_A_TIME = 1_000_000

Descriptors = NDArray[np.uint8]


def measure_cell_search(folder: Path, places: int, bits: int, queries: int = 300
                        ) -> dict[str, float]:
    """
    Put made-up places into cells on the disk, and look for some of them, on one thread.

    Half of the queries are places in other light, half places from the other side of the way:
    of as many places as a city has, many are nearer to these than the right one is.

    :param folder: for the descriptors and the cells.
    :param places: how many.
    :param bits: of a descriptor.
    :param queries: how many.
    :returns: ``build_s``; ``flat_ms`` and ``cells_ms``, medians, and ``cells_p95_ms``; of the
        ten nearest that are found ``recall_at_10``, and ``same_side`` and ``other_side``, the
        shares of either half; ``nearest``, how often the nearest is found, of the first half.
    """
    way = MadeUpWay(bits)
    descriptors, asked = _write(folder / 'descriptors.npy', way, places, queries)
    with one_thread():
        began = time.perf_counter()
        cells = CellIndex.build(np.arange(places), descriptors, folder / 'cells')
        build = time.perf_counter() - began
        wanted = _nearest(descriptors, asked)
        seconds, farthest, nearest = [], [], []
        for query in asked[np.append(0, np.arange(queries))]:  # the first one twice: it warms up
            began = time.perf_counter()
            distances, found = cells.search(query[None], _NEAREST)
            seconds.append(time.perf_counter() - began)
            farthest.append(distances[0])
            nearest.append(int(found[0, 0]))
        # Of equal distances any place will do.
        shares = np.mean(np.array(farthest[1:]) <= wanted[:, -1:], axis=1)
        right = np.array(farthest[1:])[:, 0] == wanted[:, 0]
        flat = HammingIndex.build(np.arange(places), np.asarray(descriptors))
        flat_seconds, = in_turns([partial(flat.search, asked[:1], _NEAREST)],
                                 max(3, min(20, 20_000_000 // places)), 'flat')
    half = queries // 2
    return {'build_s': build, 'flat_ms': 1e3 * float(np.median(flat_seconds)),
            'cells_ms': 1e3 * float(np.median(seconds[1:])),
            'cells_p95_ms': 1e3 * float(np.percentile(seconds[1:], 95)),
            'recall_at_10': float(shares.mean()), 'same_side': float(shares[:half].mean()),
            'other_side': float(shares[half:].mean()), 'nearest': float(right[:half].mean())}


@contextmanager
def one_thread() -> Iterator[None]:
    """Let faiss search on one thread."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _write(path: Path, way: MadeUpWay, places: int, queries: int
           ) -> tuple[Descriptors, Descriptors]:
    """Write the descriptors of a drive; return them, on the disk, and those of queries."""
    rng = np.random.default_rng(0)
    rows = np.sort(rng.choice(places, queries, replace=False))
    out = np.lib.format.open_memmap(path, 'w+', np.uint8, (places, len(way.offset) // 8))
    first, views = 0, []
    with tqdm(total=places, desc='making up places', leave=False) as bar:
        for some in way.drive(places):
            out[first:first + len(some)] = way.descriptors(some)
            views.append(some[rows[(rows >= first) & (rows < first + len(some))] - first])
            first += len(some)
            bar.update(len(some))
    out.flush()
    chosen = rng.permutation(queries)
    seen, half = np.concatenate(views)[chosen], queries // 2
    flips = np.packbits(rng.random((half, len(way.offset))) < _DARKER, axis=1)
    return (np.load(path, mmap_mode='r'),
            np.concatenate([way.descriptors(seen[:half]) ^ flips,
                            way.descriptors(way.again(seen[half:], 1))]))


def _nearest(descriptors: Descriptors, queries: Descriptors) -> NDArray[np.int32]:
    """Return the distances of the nearest places of each query, ascending; not all in memory."""
    best = np.empty((len(queries), 0), np.int32)
    for first in tqdm(range(0, len(descriptors), _AT_A_TIME), desc='truth', leave=False):
        some = np.asarray(descriptors[first:first + _AT_A_TIME])
        found, _ = HammingIndex.build(np.arange(len(some)), some).search(queries, _NEAREST)
        best = np.sort(np.hstack([best, found]), axis=1)[:, :_NEAREST]
    return best
