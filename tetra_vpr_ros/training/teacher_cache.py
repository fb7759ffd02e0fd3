# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Teacher outputs on disk, computed once.

A cache folder holds ``views.npy`` (uint8 pictures), ``tokens.npy`` (fp16
teacher tokens, reduced by PCA), ``pca.npz`` and ``cache.json``. It is filled
chunk by chunk and continues where it stopped.

Usage: ``python -m tetra_vpr_ros.training.teacher_cache --out DIR --teacher FILE FOLDER…``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import json
import os
from pathlib import Path

import cv2
import numpy as np
from tetra_vpr_ros.training.pool import find_images, PoolImage, read_rgb
from tetra_vpr_ros.training.teachers import ResNet50Trunk
from tetra_vpr_ros.training.views import geometric_view
import torch
from tqdm import tqdm


@dataclass(frozen=True)
class CacheSpec:
    """What is cached of each image."""

    size: int = 224
    views: int = 3
    dims: int = 256
    seed: int = 0


class TeacherCache:
    """
    Memory-mapped pictures and teacher tokens of a pool.

    :ivar views: uint8 ``[images, views, size, size, 3]``; view 0 is the whole picture.
    :ivar tokens: fp16 ``[images, views, grid*grid, dims]``, standardised by the PCA.
    :ivar valid: bool ``[images]``: False where the file did not decode.
    :ivar names: image names.
    """

    def __init__(self, folder: Path) -> None:
        """Open a complete cache."""
        info = json.loads((folder / 'cache.json').read_text())
        if info['done'] < len(info['names']):
            raise RuntimeError(f'{folder} is incomplete: build it again to continue it')
        self.views = np.load(folder / 'views.npy', mmap_mode='r')
        self.tokens = np.load(folder / 'tokens.npy', mmap_mode='r')
        self.names: list[str] = info['names']
        self.valid = np.ones(len(self.names), bool)
        self.valid[info['undecodable']] = False


def image_view(image: np.ndarray, index: int, view: int, spec: CacheSpec) -> np.ndarray:
    """Return view ``view`` of image ``index``: always the same for the same seed."""
    if view == 0:
        return cv2.resize(image, (spec.size, spec.size), interpolation=cv2.INTER_AREA)
    return geometric_view(image, spec.size, np.random.default_rng((spec.seed, index, view)))


def teacher_tokens(teacher: ResNet50Trunk, images: np.ndarray) -> torch.Tensor:
    """Return float32 tokens ``[B, grid*grid, channels]`` of uint8 ``[B, H, W, 3]``."""
    bf16 = torch.autocast('cpu', torch.bfloat16)
    with torch.inference_mode(), bf16:
        return teacher(torch.from_numpy(images)).float().flatten(2).transpose(1, 2)


def fit_pca(teacher: ResNet50Trunk, images: Sequence[PoolImage], spec: CacheSpec,
            sample: int = 1000) -> dict[str, np.ndarray]:
    """Fit mean and principal axes of teacher tokens on evenly spread images."""
    total = np.zeros(teacher.channels)
    scatter = np.zeros((teacher.channels, teacher.channels))
    count = 0
    picks = np.unique(np.linspace(0, len(images) - 1, sample).astype(int))
    for i in tqdm(picks, desc='teacher PCA', unit='img'):
        image = read_rgb(images[i].path)
        if image is None:
            continue
        tokens = teacher_tokens(teacher, image_view(image, i, 0, spec)[None])[0].double().numpy()
        total += tokens.sum(0)
        scatter += tokens.T @ tokens
        count += len(tokens)
    mean = total / count
    values, vectors = np.linalg.eigh(scatter / count - np.outer(mean, mean))
    axes = vectors[:, ::-1][:, :spec.dims].T
    return {'mean': mean.astype(np.float32), 'axes': axes.astype(np.float32),
            'variance': values[::-1][:spec.dims].astype(np.float32)}


def build_cache(folder: Path, images: Sequence[PoolImage], teacher: ResNet50Trunk,
                spec: CacheSpec, pca_of: Path | None = None, chunk: int = 8) -> TeacherCache:
    """
    Fill, or continue to fill, a cache.

    :param folder: where the cache lies; created when missing.
    :param images: the pool, in an order that does not change.
    :param teacher: network in inference mode.
    :param spec: what is cached.
    :param pca_of: a cache whose PCA is used instead of a new one.
    :param chunk: images per step; each step is one commit.
    :raises ValueError: the folder holds a cache of other images or another spec.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state_file = folder / 'cache.json'
    names = [image.name for image in images]
    state = {'done': 0, 'undecodable': [], 'names': names, 'spec': vars(spec)}
    if state_file.exists():
        state = json.loads(state_file.read_text())
        if state['names'] != names or state['spec'] != vars(spec):
            raise ValueError(f'{folder} caches other images or views: remove it or name another')
    pca_file = (pca_of or folder) / 'pca.npz'
    if not pca_file.exists():
        np.savez(pca_file, **fit_pca(teacher, images, spec))
    pca = np.load(pca_file)
    mean, axes = torch.from_numpy(pca['mean']), torch.from_numpy(pca['axes'])
    # One common scale: whitening, if any, is the student's business.
    scale = 1.0 / float(np.sqrt(pca['variance'].mean()))
    grid = spec.size // 16
    mode = 'r+' if (folder / 'tokens.npy').exists() else 'w+'
    views = np.lib.format.open_memmap(
        folder / 'views.npy', mode, np.uint8, (len(images), spec.views, spec.size, spec.size, 3))
    tokens = np.lib.format.open_memmap(
        folder / 'tokens.npy', mode, np.float16,
        (len(images), spec.views, grid * grid, spec.dims))
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
        reduced = (teacher_tokens(teacher, batch) - mean) @ axes.T * scale
        tokens[start:stop] = reduced.reshape(stop - start, spec.views, grid * grid, spec.dims)
        tokens.flush()
        state['done'] = stop
        temporary = state_file.with_suffix('.tmp')
        temporary.write_text(json.dumps(state))
        os.replace(temporary, state_file)
        progress.update(stop - start)
    progress.close()
    return TeacherCache(folder)


def main() -> None:
    """Fill a cache from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folders', type=Path, nargs='+', help='image folders')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--teacher', type=Path, required=True, help='ResNet50 trunk, safetensors')
    parser.add_argument('--views', type=int, default=2, help='of each image')
    parser.add_argument('--every', nargs='*', default=[], metavar='FOLDER=N',
                        help='take only every n-th image of a folder')
    args = parser.parse_args()
    steps = {name: int(step) for name, step in (item.split('=') for item in args.every)}
    images = [image for folder in args.folders
              for image in find_images([folder])[::steps.get(folder.name, 1)]]
    teacher = ResNet50Trunk.load(args.teacher).to(memory_format=torch.channels_last)
    cache = build_cache(args.out, images, teacher, CacheSpec(views=args.views))
    print(f'{int(cache.valid.sum())} of {len(images)} images cached in {args.out}')


if __name__ == '__main__':
    main()
