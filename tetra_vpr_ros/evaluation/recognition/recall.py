# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recall of binary descriptors on folders of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.dataset import read_image
from tetra_vpr_ros.mapping.map.hamming_index import HammingIndex
from tetra_vpr_ros.vision import PlaceEncoder
from tetra_vpr_ros.vision.encoder import Encodings
from tqdm import tqdm


def encode_files(encoder: PlaceEncoder, files: list[Path], batch: int = 8,
                 progress: bool = False) -> Encodings:
    """
    Encode image files.

    :param progress: show a bar.
    :returns: descriptors, and tokens where the model has them, of all files.
    :raises DatasetError: a file does not decode; it is named.
    """
    parts = [encoder.encode_with_tokens([read_image(path) for path in files[start:start + batch]])
             for start in tqdm(range(0, len(files), batch), desc='encoding', unit='batch',
                               leave=False, disable=not progress)]
    return Encodings.joined(parts) if parts else encoder.encode_with_tokens([])


def recall_at(k: int, database: NDArray[np.uint8], queries: NDArray[np.uint8],
              truth: NDArray[np.bool_]) -> float:
    """
    Return recall@k: the share of queries with a true place among the k nearest.

    :param k: neighbours looked at.
    :param database: uint8 ``[n, bits / 8]``.
    :param queries: uint8 ``[m, bits / 8]``.
    :param truth: bool ``[m, n]``, True where query and place are the same; queries
        without any true place do not count.
    :raises ValueError: the truth does not fit, or no query has a true place.
    """
    if truth.shape != (len(queries), len(database)):
        raise ValueError(f'truth of shape {truth.shape} for {len(queries)} queries and '
                         f'{len(database)} places')
    countable = np.asarray(truth.any(axis=1), np.bool_)
    if not countable.any():
        raise ValueError('no query has a true place')
    index = HammingIndex.build(np.arange(len(database)), database)
    _, ids = index.search(queries, k)
    found = np.asarray(np.take_along_axis(truth, ids, axis=1).any(axis=1), np.bool_)
    return float(found[countable].mean())


def frames_truth(queries: int, database: int, tolerance: int) -> NDArray[np.bool_]:
    """Return the truth of aligned traverses: frame i is frame j when ``|i - j| <= tolerance``."""
    truth = np.zeros((queries, database), np.bool_)
    for query, places in enumerate(truth):  # no distance of all pairs is ever in memory
        places[max(query - tolerance, 0):query + tolerance + 1] = True
    return truth
