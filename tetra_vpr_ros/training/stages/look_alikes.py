# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which places look like another one: the hard negatives of stage 2.

Places drawn at random are told apart at once, and nothing is learned from them. The start says
once which look alike; that is kept beside the run, so that a resumed run draws the same.
"""

from __future__ import annotations

from collections.abc import Sequence
import os
from pathlib import Path

import faiss
import numpy as np
from tetra_vpr_ros.training.data.place_sets import PlaceSet
from tetra_vpr_ros.training.data.pool import contents, PoolImage, read_rgb
from tetra_vpr_ros.training.data.views import resized
from tetra_vpr_ros.training.network.device import device, has_bfloat16
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
import torch
from tqdm import tqdm

_BATCH = 16


def look_alikes(network: PlaceNetwork, sets: Sequence[PlaceSet], file: Path, nearest: int = 60
                ) -> list[np.ndarray]:
    """
    Return for each image of each set which images of other places look like it.

    :param network: whose descriptors tell.
    :param sets: data sets of places.
    :param file: ``.npz`` that keeps the answer; read where it is of the same images.
    :param nearest: images that are named for each.
    :returns: int64 ``[images, nearest]`` of each set, those that look most alike first; -1 where
        there are no more.
    """
    images = [image for part in sets for image in part.images]
    names, told = np.array([image.name for image in images]), np.array(contents(images))
    if file.exists():
        with np.load(file) as kept:
            same = 'contents' not in kept or np.array_equal(kept['contents'], told)
            if same and np.array_equal(kept['names'], names):
                return [kept[f'set{i}'] for i in range(len(sets))]
    bits, decoded = _descriptors(network, images)
    ends = np.cumsum([len(part) for part in sets])
    found = [_nearest_others(part, bits[end - len(part):end], decoded[end - len(part):end],
                             nearest) for part, end in zip(sets, ends)]
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f'{file.stem}.{os.getpid()}.npz')
    np.savez(unfinished, names=names, contents=told,
             **{f'set{i}': near for i, near in enumerate(found)})
    unfinished.replace(file)
    return found


def _nearest_others(part: PlaceSet, bits: np.ndarray, decoded: np.ndarray, nearest: int
                    ) -> np.ndarray:
    """Return what looks like each image without being, or perhaps being, the same place."""
    if not len(part):
        return np.empty((0, nearest), np.int64)
    index = faiss.IndexBinaryFlat(8 * bits.shape[1])
    index.add(bits)
    # What is the same place stands first: so many more have to be asked for.
    near = index.search(bits, min(len(part), 4 * nearest))[1]
    others = np.full((len(part), nearest), -1)
    for image in np.flatnonzero(decoded):
        row = near[image]
        apart = row[decoded[row] & ~np.isin(row, part.perhaps_same(int(image)))][:nearest]
        others[image, :len(apart)] = apart
    return others


@torch.no_grad()
def _descriptors(network: PlaceNetwork, images: Sequence[PoolImage]
                 ) -> tuple[np.ndarray, np.ndarray]:
    """Return the signs of images, uint8 ``[n, bits / 8]``, and which of them decoded."""
    where, size = device(), network.config.vit.input_size
    nothing = np.zeros((*size, 3), np.uint8)
    packed, decoded = [np.empty((0, network.config.bits // 8), np.uint8)], []
    for first in tqdm(range(0, len(images), _BATCH), desc='look-alikes', unit='batch'):
        pictures = [read_rgb(image.path) for image in images[first:first + _BATCH]]
        decoded += [picture is not None for picture in pictures]
        seen = np.stack([nothing if picture is None else resized(picture, size)
                         for picture in pictures])
        with torch.autocast(where.type, torch.bfloat16, enabled=has_bfloat16(where)):
            tokens = network.tokens(torch.from_numpy(seen).to(where))
        signs = (network.aggregation(tokens.float()) > 0).cpu().numpy()
        packed.append(np.packbits(signs, axis=1))
    return np.concatenate(packed), np.array(decoded, bool)
