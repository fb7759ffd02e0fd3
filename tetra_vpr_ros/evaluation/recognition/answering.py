# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From descriptors to answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import math
from pathlib import Path
import tempfile
import time

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError
from tetra_vpr_ros.evaluation.recognition.methods import Encoded
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, RANKS
from tetra_vpr_ros.evaluation.recognition.streams import map_of_frames
from tetra_vpr_ros.localization import Estimate, Localizer, LocalizerOptions, make_localizer, View
from tetra_vpr_ros.vision import ModelInfo
from tetra_vpr_ros.vision.encoder import Encodings
from tqdm import tqdm

_MOST = max(RANKS)
_AT_ONCE = 64  # queries whose likeness to all places is in memory
_BEGIN_NS = 1_700_000_000_000_000_000
_SECOND_NS = 1_000_000_000


def answer(encoded: Encoded, filter_name: str, second_look: int = 0, progress: bool = True
           ) -> Answers:
    """
    Ask for the place of each query.

    Queries are a stream in the order of their names: one place, a metre, a second.

    :param encoded: both sides.
    :param filter_name: of the localizer.
    :param second_look: how many candidates are compared by their patch tokens; with none,
        tokens are left out.
    :param progress: show a bar.
    :raises DatasetError: the filter needs binary descriptors.
    """
    if not encoded.binary:
        if filter_name != 'single':
            raise DatasetError(f'{encoded.name} has no binary descriptors: use --filter single, '
                               f'not {filter_name}')
        return _by_cosine(encoded)
    tokens = encoded.database_tokens if second_look else None
    options = LocalizerOptions(filter_name, candidates=_MOST, second_look=second_look,
                               camera_mount='down' if encoded.turned else 'forward')
    with tempfile.TemporaryDirectory() as folder, map_of_frames(
            Path(folder) / 'places.vpr', _model_of(encoded), encoded.database, tokens=tokens
            ) as place_map:
        localizer = make_localizer(place_map, options)
        found, seconds = [], []
        asked = (Encodings(encoded.queries, encoded.query_tokens), *encoded.turned)
        for i, turns in enumerate(tqdm(
                zip(*asked), total=len(encoded.queries), desc=f'{encoded.name}/{filter_name}',
                disable=not progress, leave=False)):
            began = time.perf_counter()
            views = [View(descriptor, tokens=None if tokens is None else own,
                          quarter_turns=quarters)
                     for quarters, (descriptor, own) in enumerate(turns)]
            found.append(localizer.locate(views, _BEGIN_NS + i * _SECOND_NS))
            seconds.append(time.perf_counter() - began)
    size = encoded.bytes_per_place + (encoded.token_bytes if second_look else 0)
    return collected(found, np.array(seconds) + encoded.seconds, localizer, filter_name, size)


def answer_strangers(encoded: Encoded, filter_name: str, second_look: int,
                     strangers: Encodings) -> Answers:
    """
    Show pictures of other worlds, of which none should be accepted.

    :param encoded: whose places are asked.
    :param filter_name: of the localizer.
    :param second_look: see `answer`.
    :param strangers: encoded by the same model, with tokens where the places have them.
    :raises DatasetError: the filter needs binary descriptors.
    """
    return answer(replace(encoded, queries=strangers.descriptors, turned=(),
                          query_tokens=strangers.tokens,
                          seconds=np.zeros(len(strangers.descriptors))), filter_name, second_look)


def _model_of(encoded: Encoded) -> ModelInfo:
    """Return the model, or one that makes such descriptors."""
    return encoded.model or ModelInfo(
        Path(encoded.name), encoded.name, encoded.name, '0', encoded.database.shape[1] * 8, 1, 1,
        'none')


def _by_cosine(encoded: Encoded) -> Answers:
    began = time.perf_counter()
    ranked, scores = [], []
    for begin in range(0, len(encoded.queries), _AT_ONCE):
        alike = encoded.queries[begin:begin + _AT_ONCE] @ encoded.database.T
        ranked.append(np.argsort(-alike, axis=1, kind='stable')[:, :_MOST].copy())
        scores.append(alike.max(axis=1).astype(float))
    each = (time.perf_counter() - began) / len(encoded.queries)
    return Answers(_padded(np.concatenate(ranked)), np.concatenate(scores), None,
                   encoded.seconds + each, encoded.bytes_per_place)


def _padded(ranked: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.pad(ranked, ((0, 0), (0, _MOST - ranked.shape[1])), constant_values=-1)


def collected(estimates: Sequence[Estimate], seconds: NDArray[np.float64],
              localizer: Localizer, filter_name: str, size: int) -> Answers:
    """
    Return estimates as answers.

    :param estimates: of the queries.
    :param seconds: of each.
    :param localizer: that made them.
    :param filter_name: its name.
    :param size: bytes of a place.
    """
    rows = np.full((len(estimates), _MOST), -1, np.int64)
    for row, estimate in zip(rows, estimates):
        ids = [candidate.place_id for candidate in estimate.candidates][:_MOST]
        row[:len(ids)] = np.searchsorted(localizer.table.ids, ids)
    single = filter_name == 'single'
    scores = [_surety(e) if single else e.confidence for e in estimates]
    return Answers(rows, np.array(scores, float), np.array([e.accepted for e in estimates]),
                   seconds, size)


def _surety(estimate: Estimate) -> float:
    """Return how sure a single frame is: a look at the patches, 0..1, is above any without."""
    return -estimate.distance if math.isnan(estimate.score) else estimate.score
