# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Places are put into cells: each belongs to that of the nearest centre.

The centres are places that were drawn by lot. Means of clusters, which take minutes to find,
were no better for descriptors of pictures (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
import json
import os
from pathlib import Path
from typing import Any
import zlib

import faiss
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.hamming_index import Ids
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.places import evenly
from tqdm import tqdm

_CELLS = 4.0        # times the square root of the places, to the next power of two
_BLOCK = 50_000     # places that are put into cells at a time
_ALIKE = 1000       # places that tell whether a folder is of these places
_LONG = 200_000     # places that are worth a progress bar
_KIND = 'cells of places 1'

Array = NDArray[Any]


@dataclass(frozen=True)
class Cells:
    """
    All places, sorted by their cells.

    :ivar centres: of the cells, uint8 ``[cells, bits / 8]``.
    :ivar starts: where each begins, and the end of the last, int64 ``[cells + 1]``.
    :ivar ids: int64 ``[n]``.
    :ivar descriptors: uint8 ``[n, bits / 8]``.
    """

    centres: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ids: Ids
    descriptors: NDArray[np.uint8]


def build_cells(ids: Ids, descriptors: NDArray[np.uint8], folder: Path | None = None) -> Cells:
    """
    Sort places into cells.

    :param ids: int64 ``[n]``.
    :param descriptors: uint8 ``[n, bits / 8]``; at least one.
    :param folder: where what is done is kept, so that a build can be stopped at any moment and
        continued; None works in memory.
    :raises MapError: the folder has cells of other places, or cannot be written.
    :raises ValueError: shapes or types do not fit, or an id comes twice.
    """
    ids = np.asarray(ids, np.int64)
    if descriptors.dtype != np.uint8 or descriptors.ndim != 2 or not len(descriptors):
        raise ValueError('descriptors must be uint8 [n, bytes], at least one, not '
                         f'{descriptors.dtype} {descriptors.shape}')
    if ids.shape != (len(descriptors),) or len(np.unique(ids)) != len(ids):
        raise ValueError(f'{len(descriptors)} descriptors need as many ids, each once')
    try:
        if folder is None:
            centres = _centres(descriptors)
            order, starts = _sorted(descriptors, centres, None)
            return Cells(centres, starts, ids[order], descriptors[order])
        folder.mkdir(parents=True, exist_ok=True)
        _claim(folder, ids, descriptors)
        if not (folder / 'starts.npy').exists():
            _write_cells(ids, descriptors, folder)
    except OSError as error:
        raise MapError(f'{folder} cannot be written: {error}') from error
    return open_cells(folder)


def open_cells(folder: Path) -> Cells:
    """
    Open the cells of a folder; what is large stays on the disk until it is needed.

    :raises MapError: there are none, or they were not built to their end.
    """
    try:
        starts = np.load(folder / 'starts.npy')
        centres = np.load(folder / 'centres.npy')
        ids = np.load(folder / 'ids.npy', mmap_mode='r')
        descriptors = np.load(folder / 'descriptors.npy', mmap_mode='r')
    except (OSError, ValueError) as error:
        raise MapError(f'{folder} has no cells, or some that were not built to their end: '
                       f'{error}; build them again, which goes on where it stopped') from error
    if (len(starts) != len(centres) + 1 or starts[-1] != len(ids) or len(ids) != len(descriptors)
            or descriptors.shape[1:] != centres.shape[1:] or (np.diff(starts) < 0).any()):
        raise MapError(f'{folder} is damaged: its files do not fit each other; '
                       'delete it and build the cells again')
    return Cells(centres, starts, ids, descriptors)


def _claim(folder: Path, ids: Ids, descriptors: NDArray[np.uint8]) -> None:
    """Write down whose cells these are, or check that they are of these places."""
    some = evenly(len(ids), _ALIKE)
    mine = {'kind': _KIND, 'places': len(ids), 'bits': descriptors.shape[1] * 8,
            'sum': zlib.crc32(descriptors[some].tobytes(), zlib.crc32(ids.tobytes()))}
    note = folder / 'places.json'
    if not note.exists():
        if {path.name for path in folder.iterdir()} - {f'{note.name}.new'}:
            raise MapError(f'{folder} is no folder of cells: name another, or an empty one')
        _replace(note, lambda path: path.write_text(json.dumps(mine)))
        return
    try:
        found = json.loads(note.read_text())
    except ValueError:
        found = None
    if found != mine:
        raise MapError(f'{folder} has the cells of other places: delete it, or name another')


def _centres(descriptors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    count = len(descriptors)
    cells = min(count, 1 << round(np.log2(max(1.0, _CELLS * count**0.5))))
    # The same with every call: a build that goes on needs the centres that it began with.
    chosen = np.sort(np.random.default_rng(count).choice(count, cells, replace=False))
    return np.ascontiguousarray(descriptors[chosen])


def _sorted(descriptors: NDArray[np.uint8], centres: NDArray[np.uint8], folder: Path | None
            ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Assign all places; return their order by cells, and where each cell begins."""
    cell = _assign(descriptors, centres, folder)
    starts = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=len(centres)))])
    return np.argsort(cell, kind='stable'), starts


def _write_cells(ids: Ids, descriptors: NDArray[np.uint8], folder: Path) -> None:
    """Sort all places into a folder; the starts are what is written last."""
    centres = _centres(descriptors)
    order, starts = _sorted(descriptors, centres, folder)
    _replace(folder / 'ids.npy', partial(_save, array=ids[order]))
    _replace(folder / 'descriptors.npy', partial(_gather, descriptors=descriptors, order=order))
    _replace(folder / 'centres.npy', partial(_save, array=centres))
    _replace(folder / 'starts.npy', partial(_save, array=starts))
    for part in folder.glob('part_*.npy'):
        part.unlink()


def _assign(descriptors: NDArray[np.uint8], centres: NDArray[np.uint8], folder: Path | None
            ) -> NDArray[np.int32]:
    """Return the cell of each place; in a folder each block is kept as soon as it is done."""
    quantizer = faiss.IndexBinaryFlat(centres.shape[1] * 8)
    quantizer.add(centres)
    cells = []
    for first in tqdm(range(0, len(descriptors), _BLOCK), desc='cells', leave=False,
                      disable=len(descriptors) < _LONG):
        part = folder / f'part_{first // _BLOCK:06d}.npy' if folder else None
        if part is not None and part.exists():
            cells.append(np.load(part))
            continue
        block = np.ascontiguousarray(descriptors[first:first + _BLOCK])
        found = _nearest_centres(quantizer, block)
        if part is not None:
            _replace(part, partial(_save, array=found))
        cells.append(found)
    return np.concatenate(cells)


def _nearest_centres(quantizer: faiss.IndexBinaryFlat, block: NDArray[np.uint8]
                     ) -> NDArray[np.int32]:
    """Ask faiss on one thread: several wait for each other, on a busy machine a hundred fold."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        return np.asarray(quantizer.search(block, 1)[1][:, 0], np.int32)
    finally:
        faiss.omp_set_num_threads(before)


def _gather(path: Path, descriptors: NDArray[np.uint8], order: NDArray[np.int64]) -> None:
    """Write the descriptors in their new order, a block at a time."""
    out = np.lib.format.open_memmap(path, 'w+', np.uint8, descriptors.shape)
    for first in tqdm(range(0, len(order), _BLOCK), desc='sorting', leave=False,
                      disable=len(order) < _LONG):
        some = order[first:first + _BLOCK]
        out[first:first + _BLOCK] = descriptors[some]
    out.flush()


def _save(path: Path, array: Array) -> None:
    with path.open('wb') as file:
        np.save(file, array)
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place and move it there: whatever stops the process, it is whole."""
    beginning = path.with_name(f'{path.name}.new')
    write(beginning)
    os.replace(beginning, path)
