# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Teacher outputs on disk, computed once: the teacher is half the cost of a step.

A cache folder holds ``views.npy`` (uint8 pictures), ``tokens.npy`` (fp16
patch tokens, reduced by PCA where asked), where the teacher has them
``class.npy`` and ``attention.npy``, the PCA ``pca.npz`` and ``cache.json``. It
is memory-mapped, filled chunk by chunk, and continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tetra_vpr_ros.training.data.memory_map import memory_map
from tetra_vpr_ros.training.data.pool import contents, PoolImage, read_rgb
from tetra_vpr_ros.training.data.views import geometric_view
from tetra_vpr_ros.training.network.device import has_bfloat16
from tetra_vpr_ros.training.teachers.teacher import Teacher, TeacherOutput
import torch
from tqdm import tqdm


@dataclass(frozen=True)
class CacheSpec:
    """What is cached of each image; ``dims`` 0 keeps all channels."""

    size: int = 224
    views: int = 2
    dims: int = 256
    seed: int = 0


class TeacherCache:
    """
    Memory-mapped pictures and teacher outputs of a pool.

    :ivar views: uint8 ``[images, views, size, size, 3]``; view 0 is the whole picture.
    :ivar tokens: fp16 ``[images, views, rows*cols, dims]``.
    :ivar class_token: fp16 ``[images, views, class_channels]``, or None.
    :ivar attention: fp16 ``[images, views, layers, n, n]``, or None.
    :ivar grid: rows and columns of tokens.
    :ivar valid: bool ``[images]``: False where the file did not decode.
    :ivar names: image names.
    """

    def __init__(self, folder: Path) -> None:
        """
        Open a complete cache.

        :raises RuntimeError: it is incomplete.
        """
        info = json.loads((folder / 'cache.json').read_text())
        if info['done'] < len(info['names']):
            raise RuntimeError(f'{folder} is incomplete: build it again to continue it')

        def optional(name: str) -> np.ndarray | None:
            path = folder / name
            return np.load(path, mmap_mode='r') if path.exists() else None

        self.views = np.load(folder / 'views.npy', mmap_mode='r')
        self.tokens = np.load(folder / 'tokens.npy', mmap_mode='r')
        self.class_token = optional('class.npy')
        self.attention = optional('attention.npy')
        side = int(round(self.tokens.shape[2] ** 0.5))
        self.grid = tuple(info.get('grid', (side, side)))
        self.names: list[str] = info['names']
        self.valid = np.ones(len(self.names), bool)
        self.valid[info['undecodable']] = False


def image_view(image: np.ndarray, index: int, view: int, spec: CacheSpec) -> np.ndarray:
    """Return view ``view`` of image ``index``: always the same for the same seed."""
    if view == 0:
        return cv2.resize(image, (spec.size, spec.size), interpolation=cv2.INTER_AREA)
    return geometric_view(image, spec.size, np.random.default_rng((spec.seed, index, view)))


def ask_teacher(teacher: Teacher, images: np.ndarray) -> TeacherOutput:
    """Return what the teacher says of uint8 ``[B, H, W, 3]``, in bfloat16 where that is fast."""
    fast = has_bfloat16(torch.device('cpu'))
    with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16, enabled=fast):
        out = teacher(torch.from_numpy(images))
    out.patches = out.patches.float()
    return out


def spread(count: int, sample: int) -> np.ndarray:
    """Return which of so many images are looked at: ``sample`` of them or all, evenly."""
    return np.linspace(0, count - 1, min(sample, count)).astype(int)


def fit_pca(teacher: Teacher, images: Sequence[PoolImage], spec: CacheSpec,
            sample: int = 1000) -> dict[str, np.ndarray]:
    """
    Fit mean and principal axes of teacher tokens on evenly spread images.

    :returns: ``mean`` ``[channels]``, ``axes`` ``[dims, channels]``, ``variance`` ``[dims]``.
    """
    channels = teacher.patch_channels
    total = np.zeros(channels)
    scatter = np.zeros((channels, channels))
    count = 0
    for i in tqdm(spread(len(images), sample), desc='teacher PCA', unit='img'):
        image = read_rgb(images[i].path)
        if image is None:
            continue
        out = ask_teacher(teacher, image_view(image, i, 0, spec)[None])
        tokens = out.patches[0].double().numpy()
        total += tokens.sum(0)
        scatter += tokens.T @ tokens
        count += len(tokens)
    if count == 0:
        raise ValueError('no image of the pool decodes')
    mean = total / count
    values, vectors = np.linalg.eigh(scatter / count - np.outer(mean, mean))
    axes = vectors[:, ::-1][:, :spec.dims].T
    return {'mean': mean.astype(np.float32), 'axes': axes.astype(np.float32),
            'variance': values[::-1][:spec.dims].astype(np.float32)}


class _Reducer:
    """Projects patch tokens on the principal axes, with one common scale."""

    def __init__(self, folder: Path, teacher: Teacher, images: Sequence[PoolImage],
                 spec: CacheSpec) -> None:
        self.dims = spec.dims or teacher.patch_channels
        if self.dims > teacher.patch_channels:
            raise ValueError(f'teacher.dims: {self.dims} components of the '
                             f'{teacher.patch_channels} channels that a token of the teacher has')
        self._keep_all = spec.dims == 0
        if self._keep_all:
            return
        file = folder / 'pca.npz'
        if not file.exists():
            temporary = folder / 'pca.tmp.npz'
            np.savez(temporary, **fit_pca(teacher, images, spec))
            os.replace(temporary, file)
        pca = np.load(file)
        self._mean, self._axes = torch.from_numpy(pca['mean']), torch.from_numpy(pca['axes'])
        # One common scale: whitening, if any, is the target's business.
        self._scale = 1.0 / float(np.sqrt(pca['variance'].mean()))

    def __call__(self, patches: torch.Tensor) -> torch.Tensor:
        return patches if self._keep_all else (
            (patches - self._mean) @ self._axes.T * self._scale)


def build_cache(folder: Path, images: Sequence[PoolImage], teacher: Teacher,
                spec: CacheSpec, described: object = None, chunk: int = 8, commit: int = 256
                ) -> TeacherCache:
    """
    Fill, or continue to fill, a cache.

    :param folder: where the cache lies; created when missing.
    :param images: the pool, in an order that does not change.
    :param teacher: network in inference mode.
    :param spec: what is cached.
    :param described: what tells the teacher from others, as JSON.
    :param chunk: images that the teacher sees at a time.
    :param commit: images after which what is done is safe: writing back a large file that is
        mapped into memory takes longer the larger it is.
    :raises ValueError: the folder holds a cache of other images, another teacher or another
        spec.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state_file = folder / 'cache.json'
    state = _state(state_file, images, spec, described)
    if state['done'] == len(images):
        return TeacherCache(folder)
    reduce = _Reducer(folder, teacher, images, spec)
    probe = ask_teacher(teacher, np.zeros((1, spec.size, spec.size, 3), np.uint8))
    state['grid'] = list(probe.grid)

    def stored(name: str, kind: type, *shape: int) -> np.ndarray:
        return memory_map(folder / name, kind, (len(images), spec.views, *shape))

    views = stored('views.npy', np.uint8, spec.size, spec.size, 3)
    tokens = stored('tokens.npy', np.float16, probe.patches.shape[1], reduce.dims)
    classes = (stored('class.npy', np.float16, teacher.class_channels)
               if teacher.class_channels else None)
    attention = (stored('attention.npy', np.float16, *probe.attention.shape[1:])
                 if probe.attention is not None else None)
    progress = tqdm(total=len(images), initial=state['done'], desc='teacher cache', unit='img')
    while state['done'] < len(images):
        start = state['done']
        stop = min(start + chunk, len(images))
        for i in range(start, stop):
            image = read_rgb(images[i].path)
            if image is None:
                state['undecodable'].append(i)
                continue
            for view in range(spec.views):
                views[i, view] = image_view(image, i, view, spec)
        batch = np.asarray(views[start:stop]).reshape(-1, spec.size, spec.size, 3)
        out = ask_teacher(teacher, batch)

        for array, values in ((tokens, reduce(out.patches)), (classes, out.class_token),
                              (attention, out.attention)):
            if array is not None and values is not None:
                array[start:stop] = values.float().reshape(
                    stop - start, *array.shape[1:]).numpy()
        state['done'] = stop
        progress.update(stop - start)
        if stop == len(images) or stop // commit > start // commit:
            _commit(state_file, state, (views, tokens, classes, attention))
    progress.close()
    return TeacherCache(folder)


def _commit(state_file: Path, state: dict, arrays: Sequence[np.memmap | None]) -> None:
    """Write back what was computed, then that it is there."""
    for array in arrays:
        if array is not None:
            array.flush()
    temporary = state_file.with_suffix('.tmp')
    temporary.write_text(json.dumps(state))
    os.replace(temporary, state_file)


def _state(file: Path, images: Sequence[PoolImage], spec: CacheSpec, described: object
           ) -> dict[str, Any]:
    """Return how far a cache has come; see `build_cache`."""
    wanted = json.loads(json.dumps({
        'done': 0, 'undecodable': [], 'names': [image.name for image in images],
        'spec': vars(spec), 'teacher': described, 'contents': contents(images)}))
    if not file.exists():
        return dict(wanted)
    try:
        state: dict[str, Any] = {'contents': wanted['contents'], **json.loads(file.read_text())}
        if any(state[key] != wanted[key] for key in ('names', 'spec', 'contents')):
            raise ValueError(f'{file.parent} caches other images or views: remove it or name '
                             'another')
        known, told = state.get('teacher'), wanted['teacher']  # older ones know less of theirs
        if None not in (known, told) and {**told, **known} != told:
            raise ValueError(f'{file.parent} caches what another teacher says, {known}: '
                             'remove it or name another')
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f'{file} is damaged: remove {file.parent} or name another cache'
                         ) from error
    return state
