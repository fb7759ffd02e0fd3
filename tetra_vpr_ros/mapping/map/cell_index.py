# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Hamming search in a city: places in cells, of which a share is compared.

An inverted file (J. Sivic, A. Zisserman, "Video Google", ICCV 2003) whose cells lie one behind
the other, so that they can stay on the disk. faiss has one for binary descriptors, too, which
takes four times as long a place as its comparison of whole arrays, which is used here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.cell_building import build_cells, Cells, open_cells
from tetra_vpr_ros.mapping.map.hamming_index import (
    check_descriptors, Distances, hamming_distances, HammingIndex, Ids, nearest_rows, one_by_one)

MANY = 2_000_000
"""Places from which `index_of` puts them into cells."""

COMPARED = 0.14
"""
Share of the places that a search compares.

With it 99 % of the ten nearest of ten million places are found (docs/performance.md); the one
that stands out from all others, which a robot is after, needs a seventh of it.
"""


class CellIndex:
    """
    Search among the places of the cells that are nearest to a query.

    :param cells: see `build_cells`.
    :param compared: share of the places that a search compares, 0..1; 1 finds what
        `HammingIndex` finds.
    """

    def __init__(self, cells: Cells, compared: float = COMPARED) -> None:
        """Keep the cells."""
        self._cells, self.compared = cells, compared
        self.bits = cells.centres.shape[1] * 8
        self._added = HammingIndex(self.bits)

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self._cells.ids) + len(self._added)

    @classmethod
    def build(cls, ids: Ids, descriptors: NDArray[np.uint8], folder: Path | None = None,
              compared: float = COMPARED) -> CellIndex:
        """
        Put a whole map into cells.

        :param ids: int64 ``[n]``.
        :param descriptors: uint8 ``[n, bits / 8]``, at least one; may be memory-mapped.
        :param folder: where the cells are kept, and read from the disk as they are needed. What
            a build that was stopped has left there is continued. None keeps them in memory.
        :param compared: see `CellIndex`.
        :raises MapError: the folder has cells of other places, or cannot be written.
        :raises ValueError: shapes or types do not fit, or an id comes twice.
        """
        return cls(build_cells(ids, descriptors, folder), compared)

    @classmethod
    def open_folder(cls, folder: Path, compared: float = COMPARED) -> CellIndex:
        """
        Open what `build` has left in a folder.

        :raises MapError: there is nothing, or it was not built to its end.
        """
        return cls(open_cells(folder), compared)

    def add(self, ids: Ids, descriptors: NDArray[np.uint8]) -> None:
        """
        Add places, in memory: they are in no cell, and are always compared.

        :raises ValueError: shapes or types do not fit, or an id comes twice.
        """
        if np.isin(ids, self._cells.ids).any():
            raise ValueError('a place id is in the index twice')
        self._added.add(ids, descriptors)

    def search(self, queries: NDArray[np.uint8], k: int) -> tuple[Distances, Ids]:
        """
        Find the k nearest places of each query, or nearly so; see `HammingIndex.search`.

        :param queries: uint8 ``[q, bits / 8]``.
        :param k: how many; fewer come back from a smaller map.
        :returns: distances int32 ``[q, k]`` in bits, ascending, and ids int64 ``[q, k]``.
        """
        check_descriptors(queries, self.bits)
        k = min(k, len(self))

        def nearest(query: NDArray[np.uint8]) -> tuple[Distances, Ids]:
            bits, places = self._compare(query, k)
            others, added = self._added.search(query, k)
            bits, places = np.append(bits, others), np.append(places, added)
            order = np.lexsort((places, bits))[:k]
            return bits[order], places[order]

        return one_by_one(queries, k, nearest)

    def search_radius(self, query: NDArray[np.uint8], radius: int) -> tuple[Distances, Ids]:
        """
        Find places at most ``radius`` bits away; see `HammingIndex.search_radius`.

        :param query: uint8 ``[bits / 8]``.
        :param radius: bits, inclusive.
        :returns: distances int32 ``[m]``, ascending, and ids int64 ``[m]``.
        """
        others, added = self._added.search_radius(query, radius)  # checks the query, too
        bits, rows = self._distances(query[None], 1)
        inside = np.flatnonzero(bits <= radius)
        bits = np.append(bits[inside], others)
        places = np.append(self._cells.ids[rows.of(inside)], added)
        order = np.lexsort((places, bits))
        return bits[order], places[order]

    def _compare(self, query: NDArray[np.uint8], k: int) -> tuple[Distances, Ids]:
        """Return the nearest places of the cells."""
        bits, rows = self._distances(query, k)
        # Of equal distances all are asked for their ids, as `HammingIndex` does.
        nearest = nearest_rows(bits, k)
        if len(nearest):
            nearest = np.flatnonzero(bits <= bits[nearest[-1]])
        places = self._cells.ids[rows.of(nearest)]
        order = np.lexsort((places, bits[nearest]))[:k]
        return bits[nearest[order]], places[order]

    def _distances(self, query: NDArray[np.uint8], least: int) -> tuple[Distances, _Rows]:
        """Compare the cells that are nearest, at least so many places."""
        cells = self._cells
        order = np.argsort(hamming_distances(query, cells.centres)[0], kind='stable')
        sizes = np.diff(cells.starts)[order]
        wanted = max(least, int(np.ceil(self.compared * len(cells.ids))))
        few = int(np.searchsorted(np.cumsum(sizes), wanted)) + 1
        # Cells that follow each other are read at once.
        chosen = np.sort(order[:few])
        first = chosen[np.diff(chosen, prepend=-2) != 1]
        last = chosen[np.diff(chosen, append=len(order) + 1) != 1]
        rows = _Rows(cells.starts[first], cells.starts[last + 1])
        bits = np.empty(rows.count, np.int32)
        for begin, end, into in zip(rows.begin, rows.end, rows.offsets):
            bits[into:into + end - begin] = hamming_distances(
                query, cells.descriptors[begin:end])[0]
        return bits, rows


class _Rows:
    """Stretches of rows, one behind the other."""

    def __init__(self, begin: NDArray[np.int64], end: NDArray[np.int64]) -> None:
        self.begin, self.end = begin, end
        ends = np.cumsum(end - begin)
        self.offsets, self.count = ends - (end - begin), int(ends[-1])

    def of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows at some positions in what the stretches have together."""
        stretch = np.searchsorted(self.offsets, positions, side='right') - 1
        return np.asarray(self.begin[stretch] + positions - self.offsets[stretch])


def index_of(ids: Ids, descriptors: NDArray[np.uint8], folder: Path | None = None,
             many: int = MANY) -> HammingIndex | CellIndex:
    """
    Index a whole map as it suits its size.

    :param ids: int64 ``[n]``.
    :param descriptors: uint8 ``[n, bits / 8]``.
    :param folder: of the cells of a large map, see `CellIndex.build`.
    :param many: places from which the map is large.
    :raises MapError: see `CellIndex.build`.
    :raises ValueError: shapes or types do not fit, or an id comes twice.
    """
    if len(ids) < many:
        return HammingIndex.build(ids, descriptors)
    return CellIndex.build(ids, descriptors, folder)
