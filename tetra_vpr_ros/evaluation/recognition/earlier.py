# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
One drive against itself: which frames show what an earlier one has shown.

A map holds its places all the time, here they come one after the other: each frame is looked
for among those before it, but not among the last, which show nearly the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import time

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.methods import Encoded
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, RANKS
from tetra_vpr_ros.mapping.calibration import standing_out
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.token_comparison import TokenComparison
from tqdm import tqdm

_Look = Callable[[int, NDArray[np.int64], NDArray[np.float64]],
                 tuple[NDArray[np.int64], float]]


def earlier_frames(frames: int, recent: int) -> NDArray[np.bool_]:
    """
    Return by which frames each frame may be answered: j for i where ``j < i - recent``.

    :param frames: of the drive.
    :param recent: how many frames before each are left out, too; 0 for none.
    :returns: bool ``[frames, frames]``.
    """
    return np.tri(frames, frames, -1 - recent, dtype=np.bool_)


def answer_earlier(encoded: Encoded, recent: int, second_look: int = 0, progress: bool = True
                   ) -> Answers:
    """
    Ask for the place of each frame among the earlier ones.

    :param encoded: the same frames on both sides.
    :param recent: see `earlier_frames`.
    :param second_look: how many candidates are compared by their patch tokens, as
        `SingleFrameLocalizer` does; 0 for none.
    :param progress: show a bar.
    :returns: answers, of which none is accepted or refused: there is no map to calibrate.
    """
    each = [_answer(side, recent, second_look, progress) for side in _sides(encoded)]
    # Of a camera that looks down, the turn whose best match is best.
    best = np.argmax([answers.scores for answers in each], axis=0)
    frames = np.arange(len(best))
    ranked = np.stack([answers.ranked for answers in each])[best, frames]
    scores = np.stack([answers.scores for answers in each])[best, frames]
    seconds = np.sum([answers.seconds for answers in each], axis=0) + encoded.seconds
    # Frames without an earlier one have no answer: they come after all others.
    scores[ranked[:, 0] < 0] = scores[ranked[:, 0] >= 0].min(initial=0.0) - 1.0
    return replace(each[0], ranked=ranked, scores=scores, seconds=seconds)


def _sides(encoded: Encoded) -> list[Encoded]:
    """Return the frames as they are, and turned where the camera looks down."""
    return [encoded, *(replace(encoded, queries=turned.descriptors, query_tokens=turned.tokens)
                       for turned in encoded.turned)]


def _answer(encoded: Encoded, recent: int, second_look: int, progress: bool) -> Answers:
    """Answer one turn of the frames; the seconds are of the search alone."""
    count = len(encoded.queries)
    ranked = np.full((count, max(RANKS)), -1, np.int64)
    scores, seconds = np.zeros(count), np.zeros(count)
    look = _second_look(encoded, second_look)
    for row in tqdm(range(count), desc=f'{encoded.name}/earlier', disable=not progress,
                    leave=False):
        began = time.perf_counter()
        apart = _distances(encoded, row, max(row - recent, 0))
        order = np.argsort(apart, kind='stable')
        if len(order):
            scores[row] = -apart[order[0]]
            if look is not None:
                order, scores[row] = look(row, order, apart)
        seconds[row] = time.perf_counter() - began
        ranked[row, :len(order)] = order[:max(RANKS)]
    return Answers(ranked, scores, None, seconds,
                   encoded.bytes_per_place + (encoded.token_bytes if look else 0))


def _distances(encoded: Encoded, query: int, places: int) -> NDArray[np.float64]:
    own, earlier = encoded.queries[query], encoded.database[:places]
    if encoded.binary:
        return np.asarray(hamming_distances(own[None], earlier)[0], np.float64)
    return np.asarray(1.0 - earlier @ own, np.float64)


def _second_look(encoded: Encoded, count: int) -> _Look | None:
    """Return what orders the first candidates of a query by their patch tokens."""
    places, queries = encoded.database_tokens, encoded.query_tokens
    matches = encoded.model.match_model if encoded.model else None
    if not count or places is None or queries is None or not encoded.model or not matches:
        return None
    bits, compare = encoded.model.bits, TokenComparison(encoded.model.token_grid)

    def look(query: int, order: NDArray[np.int64], apart: NDArray[np.float64]
             ) -> tuple[NDArray[np.int64], float]:
        first = order[:count]
        seen = compare(queries[query], places[first])
        standing = standing_out(apart.astype(np.int32))[first].astype(np.float64)
        likely = matches.preferences(seen.scores, apart[first] / bits, standing, seen.compared)
        again = np.argsort(-likely, kind='stable')
        return np.concatenate([first[again], order[count:]]), float(seen.scores[again[0]])

    return look
