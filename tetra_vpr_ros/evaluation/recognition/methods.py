# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Ways to describe images: our models, and what was usual before learned descriptors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
import time
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError, read_image
from tetra_vpr_ros.vision import ModelInfo, PlaceEncoder
from tetra_vpr_ros.vision.decoding import Image
from tetra_vpr_ros.vision.encoder import Encodings
from tetra_vpr_ros.vision.local_features import extract_features
from tetra_vpr_ros.vision.quarter_turns import quarter_turned
from tqdm import tqdm

BASELINES = ('hog', 'orb-bow')
"""Methods without a model."""

_WORDS = 256
Description = TypeVar('Description')


@dataclass(frozen=True)
class Encoded:
    """
    Descriptors of both sides, and patch tokens where a second look is wanted.

    :ivar name: of the method.
    :ivar database: uint8 ``[n, bytes]`` when binary, else float32 ``[n, d]`` of unit length.
    :ivar queries: likewise.
    :ivar seconds: to read and encode each query, with its tokens where there are any.
    :ivar database_tokens: uint8 ``[n, rows*columns, token_bits / 8]``, or None.
    :ivar query_tokens: likewise; both or none.
    :ivar model: that encoded; None for a method without one.
    :ivar turned: the queries turned by one, two and three quarters, where the camera looks
        down; else none.
    """

    name: str
    database: NDArray[Any]
    queries: NDArray[Any]
    seconds: NDArray[np.float64]
    database_tokens: NDArray[np.uint8] | None = None
    query_tokens: NDArray[np.uint8] | None = None
    model: ModelInfo | None = None
    turned: tuple[Encodings, ...] = ()

    @property
    def binary(self) -> bool:
        """Tell whether descriptors are compared by Hamming distance."""
        return self.database.dtype == np.uint8

    @property
    def bytes_per_place(self) -> int:
        """Return the size of a descriptor."""
        return int(self.database[0].nbytes)

    @property
    def token_bytes(self) -> int:
        """Return the size of a place's tokens; 0 where no second look is possible."""
        return 0 if self.database_tokens is None else int(self.database_tokens[0].nbytes)


def _needed(module: str) -> Any:
    """Import what only baselines need."""
    try:
        return import_module(module)
    except ImportError as error:
        raise DatasetError(f'{module} is not installed: pip install tetra_vpr_ros[evaluation]'
                           ) from error


def _each(files: Sequence[Path], describe: Callable[[NDArray[np.uint8]], Description], what: str
          ) -> tuple[list[Description], NDArray[np.float64]]:
    rows, seconds = [], []
    for path in tqdm(files, desc=what, unit='image', leave=False):
        began = time.perf_counter()
        rows.append(describe(read_image(path)))
        seconds.append(time.perf_counter() - began)
    return rows, np.array(seconds)


def encode_with_model(model: Path, database: Sequence[Path], queries: Sequence[Path],
                      tokens: bool = True, camera_mount: str = 'forward') -> Encoded:
    """
    Encode with a model file.

    :param model: the file.
    :param database: image files of the places.
    :param queries: image files of the queries.
    :param tokens: encode the patch tokens in the same run, where the model has them.
    :param camera_mount: one of `MOUNTS`; where it is ``down``, each query is encoded in four
        turns, in one batch.
    :raises ModelError: the model cannot be used.
    :raises DatasetError: an image does not decode.
    """
    encoder = PlaceEncoder(model, threads=0)
    encode = partial(encoder.encode_with_tokens,
                     wanted=tokens and encoder.info.match_model is not None)
    height, width = read_image(database[0]).shape[:2]

    def describe(image: Image) -> Encodings:
        return encode([image])

    def describe_turned(image: Image) -> Encodings:
        return encode(quarter_turned(image, width / height))

    found, _ = _each(database, describe, f'{model.stem}: database')
    sought, seconds = _each(queries, describe_turned if camera_mount == 'down' else describe,
                            f'{model.stem}: queries')
    places, every = Encodings.joined(found), Encodings.joined(sought)
    turns = len(every.descriptors) // len(queries)
    asked, *turned = (
        Encodings(every.descriptors[turn::turns],
                  None if every.tokens is None else every.tokens[turn::turns])
        for turn in range(turns))
    return Encoded(model.stem, places.descriptors, asked.descriptors, seconds, places.tokens,
                   asked.tokens, encoder.info, tuple(turned))


def require_tokens(models: Sequence[Path]) -> None:
    """
    Refuse what cannot take a second look, before pictures are encoded.

    :param models: at least one, else there are only methods without a model.
    :raises DatasetError: a model has no patch tokens.
    :raises ModelError: a model cannot be used.
    """
    if not models:
        raise DatasetError('methods without a model have no patch tokens: leave --rerank tokens '
                           'out')
    for model in models:
        if PlaceEncoder(model).info.match_model is None:
            raise DatasetError(f'{model} has no patch tokens that were calibrated: pass a model '
                               'that has them, like the shipped one, or leave --rerank tokens '
                               'out')


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
