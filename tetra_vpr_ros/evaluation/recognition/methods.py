# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Ways to describe images: our models, and what was usual before learned descriptors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
import time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError, read_image
from tetra_vpr_ros.vision import PlaceEncoder
from tetra_vpr_ros.vision.local_features import extract_features
from tqdm import tqdm

BASELINES = ('hog', 'orb-bow')
"""Methods without a model."""

_WORDS = 256


@dataclass(frozen=True)
class Encoded:
    """
    Descriptors of both sides.

    :ivar name: of the method.
    :ivar database: uint8 ``[n, bytes]`` when binary, else float32 ``[n, d]`` of unit length.
    :ivar queries: likewise.
    :ivar seconds: to read and encode each query.
    """

    name: str
    database: NDArray[Any]
    queries: NDArray[Any]
    seconds: NDArray[np.float64]

    @property
    def binary(self) -> bool:
        """Tell whether descriptors are compared by Hamming distance."""
        return self.database.dtype == np.uint8

    @property
    def bytes_per_place(self) -> int:
        """Return the size of a descriptor."""
        return int(self.database[0].nbytes)


def _needed(module: str) -> Any:
    """Import what only baselines need."""
    try:
        return import_module(module)
    except ImportError as error:
        raise DatasetError(f'{module} is not installed: pip install tetra_vpr_ros[evaluation]'
                           ) from error


def _each(files: Sequence[Path], describe: Callable[[NDArray[np.uint8]], NDArray[Any]],
          what: str) -> tuple[list[NDArray[Any]], NDArray[np.float64]]:
    rows, seconds = [], []
    for path in tqdm(files, desc=what, unit='image', leave=False):
        began = time.perf_counter()
        rows.append(describe(read_image(path)))
        seconds.append(time.perf_counter() - began)
    return rows, np.array(seconds)


def encode_with_model(model: Path, database: Sequence[Path], queries: Sequence[Path]) -> Encoded:
    """
    Encode with a model file.

    :raises ModelError: the model cannot be used.
    :raises DatasetError: an image does not decode.
    """
    encoder = PlaceEncoder(model, threads=0)
    places, _ = _each(database, encoder.encode, f'{model.stem}: database')
    asked, seconds = _each(queries, encoder.encode, f'{model.stem}: queries')
    return Encoded(model.stem, np.array(places), np.array(asked), seconds)


def encode_with_hog(database: Sequence[Path], queries: Sequence[Path]) -> Encoded:
    """
    Encode with scikit-image's histograms of oriented gradients, centred on the database, signs.

    :raises DatasetError: an image does not decode, or scikit-image is missing.
    """
    hog = _needed('skimage.feature').hog

    def describe(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (128, 128), interpolation=cv2.INTER_AREA)
        return np.asarray(hog(small, 9, (16, 16), (2, 2)), np.float32)

    places, _ = _each(database, describe, 'hog: database')
    asked, seconds = _each(queries, describe, 'hog: queries')
    mean = np.mean(places, axis=0)

    def signs(rows: Sequence[NDArray[Any]]) -> NDArray[np.uint8]:
        bits = np.array(rows) > mean
        whole = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 64)))
        return np.packbits(whole, axis=1, bitorder='little')

    return Encoded('hog', signs(places), signs(asked), seconds)


def encode_with_words(database: Sequence[Path], queries: Sequence[Path]) -> Encoded:
    """
    Encode with a bag of ORB words that scikit-learn clusters in the database, by tf-idf.

    :raises DatasetError: an image does not decode, or scikit-learn is missing.
    """
    cluster = _needed('sklearn.cluster').MiniBatchKMeans
    weighting = _needed('sklearn.feature_extraction.text').TfidfTransformer()

    def describe(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return extract_features(image).descriptors.astype(np.float32)

    places, _ = _each(database, describe, 'orb-bow: database')
    asked, seconds = _each(queries, describe, 'orb-bow: queries')
    everything = np.concatenate(places)
    if len(everything) < _WORDS:
        raise DatasetError(f'only {len(everything)} ORB features in the database: too few for '
                           f'{_WORDS} words')
    words = cluster(_WORDS, random_state=0, n_init=1).fit(everything)

    def counts(rows: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        return np.array([np.bincount(words.predict(row), minlength=_WORDS) if len(row)
                         else np.zeros(_WORDS) for row in rows], np.float32)

    seen = weighting.fit_transform(counts(places)).toarray()
    sought = weighting.transform(counts(asked)).toarray()
    return Encoded('orb-bow', seen.astype(np.float32), sought.astype(np.float32), seconds)


def encode_with(name: str, database: Sequence[Path], queries: Sequence[Path]) -> Encoded:
    """
    Encode with a method without a model.

    :param name: one of `BASELINES`.
    :raises ValueError: another name.
    :raises DatasetError: an image does not decode.
    """
    if name == 'hog':
        return encode_with_hog(database, queries)
    if name == 'orb-bow':
        return encode_with_words(database, queries)
    raise ValueError(f"method must be one of {', '.join(BASELINES)}, not {name!r}")
