# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Exact Hamming search over packed binary descriptors."""

from __future__ import annotations

from collections.abc import Callable

import faiss
import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Distances = NDArray[np.int32]

_BLOCK = 256       # places of which one is the nearest
_CACHED = 1 << 18  # bytes of descriptors that several queries are compared with at a time
_BIT_COUNT = np.array([value.bit_count() for value in range(256)], np.uint16)


class HammingIndex:
    """
    Exhaustive search; equal distances are ordered by place id.

    :param bits: length of a descriptor, a multiple of 8.
    """

    def __init__(self, bits: int) -> None:
        """Create an empty index."""
        if bits <= 0 or bits % 8:
            raise ValueError(f'bits must be a positive multiple of 8, not {bits}')
        self.bits = bits
        # faiss searches these arrays themselves: an index of its own would be a second copy
        # of what is most of a map's memory.
        self._descriptors = np.empty((0, bits // 8), np.uint8)
        self._ids: Ids = np.empty(0, np.int64)

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self._ids)

    @classmethod
    def build(cls, ids: Ids, descriptors: NDArray[np.uint8]) -> HammingIndex:
        """
        Index a whole map.

        :param ids: int64 ``[n]``.
        :param descriptors: uint8 ``[n, bits / 8]``; not copied, and not to be changed after.
        """
        index = cls(descriptors.shape[1] * 8)
        index.add(ids, descriptors)
        return index

    def add(self, ids: Ids, descriptors: NDArray[np.uint8]) -> None:
        """
        Add places.

        :raises ValueError: shapes or types do not fit, or an id comes twice.
        """
        ids = np.asarray(ids, np.int64)
        check_descriptors(descriptors, self.bits)
        if ids.shape != (len(descriptors),):
            raise ValueError(f'{len(descriptors)} descriptors need as many ids, not {ids.shape}')
        together = np.concatenate([self._ids, ids]) if len(self) else ids
        if len(np.unique(together)) != len(together):
            raise ValueError('a place id is in the index twice')
        added = np.ascontiguousarray(descriptors)
        self._descriptors = np.concatenate([self._descriptors, added]) if len(self) else added
        self._ids = together

    def search(self, queries: NDArray[np.uint8], k: int) -> tuple[Distances, Ids]:
        """
        Find the k nearest places of each query.

        :param queries: uint8 ``[q, bits / 8]``.
        :param k: how many; fewer come back from a smaller map.
        :returns: distances int32 ``[q, k]`` in bits, ascending, and ids int64 ``[q, k]``.
        """
        check_descriptors(queries, self.bits)
        k = min(k, len(self))

        def nearest(query: NDArray[np.uint8]) -> tuple[Distances, Ids]:
            bits = hamming_distances(query, self._descriptors)[0]
            # faiss.knn_hamming takes as long, but ties at the k-th would be lost, and its
            # threads wait for each other where a core is busy (150 ms instead of 25).
            rows = nearest_rows(bits, k, self._ids)
            return bits[rows], self._ids[rows]

        return one_by_one(queries, k, nearest)

    def search_radius(self, query: NDArray[np.uint8], radius: int) -> tuple[Distances, Ids]:
        """
        Find all places at most ``radius`` bits away.

        :param query: uint8 ``[bits / 8]``.
        :param radius: bits, inclusive.
        :returns: distances int32 ``[m]``, ascending, and ids int64 ``[m]``.
        """
        queries = query[None]
        check_descriptors(queries, self.bits)
        if not len(self) or radius < 0:
            return np.empty(0, np.int32), np.empty(0, np.int64)
        bits = hamming_distances(queries, self._descriptors)[0]
        return self._sorted(bits, np.flatnonzero(bits <= radius))

    def _sorted(self, bits: Distances, rows: NDArray[np.int64]) -> tuple[Distances, Ids]:
        order = rows[np.lexsort((self._ids[rows], bits[rows]))]
        return bits[order], self._ids[order]


def one_by_one(queries: NDArray[np.uint8], k: int,
               nearest: Callable[[NDArray[np.uint8]], tuple[Distances, Ids]]
               ) -> tuple[Distances, Ids]:
    """
    Search for query after query.

    :param queries: uint8 ``[q, bits / 8]``.
    :param k: places of each.
    :param nearest: finds ``k`` for a query ``[1, bits / 8]``.
    :returns: distances int32 and ids int64, ``[q, k]``.
    """
    near, found = np.empty((len(queries), k), np.int32), np.empty((len(queries), k), np.int64)
    for row in range(len(queries) if k > 0 else 0):
        near[row], found[row] = nearest(queries[row:row + 1])
    return near, found


def check_descriptors(descriptors: NDArray[np.uint8], bits: int) -> None:
    """
    Check the shape and the type of descriptors.

    :raises ValueError: they are not uint8 ``[n, bits / 8]``.
    """
    if descriptors.dtype != np.uint8 or descriptors.shape[1:] != (bits // 8,):
        raise ValueError(f'descriptors must be uint8 [n, {bits // 8}], not '
                         f'{descriptors.dtype} {descriptors.shape}')


def nearest_rows(distances: NDArray[np.int32], k: int, ids: Ids | None = None
                 ) -> NDArray[np.int64]:
    """
    Return the rows of the k smallest distances, ascending; of equal ones the first.

    :param distances: bits, ``[n]``.
    :param k: how many; fewer come back where there are fewer.
    :param ids: by which equal distances are ordered, ``[n]``; None is by the row.
    """
    k = min(k, len(distances))
    if k <= 0:
        return np.empty(0, np.int64)
    rows = np.flatnonzero(distances <= _kth_at_most(distances, k))
    ties = rows if ids is None else ids[rows]
    return np.asarray(rows[np.lexsort((ties, distances[rows]))][:k])


def _kth_at_most(distances: Distances, k: int) -> int:
    """
    Return a distance that at least k come up to, and hardly more.

    To partition many places takes ten times as long as to look for the nearest of each block.
    """
    blocks = len(distances) // _BLOCK
    if blocks <= k:
        return int(np.partition(distances, k - 1)[k - 1])
    nearest = distances[:blocks * _BLOCK].reshape(blocks, _BLOCK).min(axis=1)
    return int(np.partition(nearest, k - 1)[k - 1])


def hamming_distances(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.int32]:
    """
    Return all distances between two sets.

    :param a: uint8 ``[n, bytes]``.
    :param b: uint8 ``[m, bytes]``.
    :returns: int32 ``[n, m]``.
    """
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    out = np.empty((len(a), len(b)), np.int32)
    size = a.shape[1]
    if size % 8:  # faiss counts whole words
        for row, descriptor in enumerate(a):  # row by row: [n, m, bytes] would not fit
            out[row] = _BIT_COUNT[descriptor ^ b].sum(axis=1, dtype=np.int32)
    elif out.size:
        # Several queries share what is in the cache.
        step = len(b) if len(a) == 1 else max(1, _CACHED // size)
        for first in range(0, len(b), step):
            _hammings(a, b[first:first + step], out[:, first:first + step])
    return out


def _hammings(a: NDArray[np.uint8], b: NDArray[np.uint8], out: Distances) -> None:
    into = out if out.flags.c_contiguous else np.empty(out.shape, np.int32)
    faiss.hammings(  # type: ignore[attr-defined]  # its stubs leave it out
        faiss.swig_ptr(a), faiss.swig_ptr(b), len(a), len(b), a.shape[1], faiss.swig_ptr(into))
    if into is not out:
        out[:] = into
