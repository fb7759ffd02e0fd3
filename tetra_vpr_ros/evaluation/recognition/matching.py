# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The match model of an encoder, fitted to labelled places and to each other's pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError
from tetra_vpr_ros.localization.second_look import SECOND_LOOK
from tetra_vpr_ros.mapping.calibration import standing_out
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances, nearest_rows
from tetra_vpr_ros.mapping.map.token_comparison import TokenComparison
from tetra_vpr_ros.vision import Encodings
from tetra_vpr_ros.vision.match_model import MatchModel
from tqdm import tqdm

_RIDGE = 1e-3          # keeps weights finite where a feature separates all
# Of scores, shares, standing, backgrounds and contrasts: the ridge weighs them like deviations.
_SCALES = np.array([10.0, 10.0, 1.0, 50.0, 5.0])
# Features that are asked of a frame: where it is imagined, where it was taken, whether at all.
_IMAGINED, _LOOKED_AT, _OF_THE_MAP = [0, 1, 2], [1, 2, 3, 4], [0, 1, 3]
NOTHING_KINDS = 6
_FEWEST = 50           # frames of a kind below which nothing is fitted
_Array = NDArray[np.float64]


@dataclass(frozen=True)
class LabelledPlaces:
    """
    A map, queries of it, and which show which place.

    :ivar name: of the set.
    :ivar places: with tokens.
    :ivar queries: with tokens.
    :ivar truth: bool ``[queries, places]``.
    """

    name: str
    places: Encodings
    queries: Encodings
    truth: NDArray[np.bool_]


@dataclass(frozen=True)
class _Candidates:
    """What `MatchModel.preferences` takes of the candidates of a frame, and which are right."""

    features: _Array
    right: NDArray[np.bool_]


def fit_match_model(sets: Sequence[LabelledPlaces], foreign: Sequence[Encodings],
                    grid: tuple[int, int], progress: bool = True) -> MatchModel:
    """
    Fit what a second look is to believe.

    *Where* is a conditional logit over the candidates of the queries that have their place
    among them; *whether* a logistic regression of the right best candidates of all sets
    against the best candidates of foreign pictures: those given, and the queries of the other
    sets. Each set counts alike.

    :param sets: that the model was not trained on.
    :param foreign: pictures of none of these places.
    :param grid: of the tokens.
    :param progress: show a bar.
    :raises DatasetError: there are too few queries or foreign pictures.
    :raises ValueError: one of them has no tokens.
    """
    if any(part.tokens is None for part in (
            *foreign, *(part for s in sets for part in (s.places, s.queries)))):
        raise ValueError('places, queries and foreign pictures need their patch tokens')
    compare = TokenComparison(grid)
    work = len(sets) * (sum(len(s.queries.descriptors) for s in sets)
                        + sum(len(f.descriptors) for f in foreign))
    with tqdm(total=work, desc='second look', unit='frame', disable=not progress) as bar:
        own = [list(_look(s.queries, s, compare, s.truth, bar.update)) for s in sets]
        strange = [[c for other in [*foreign, *(o.queries for o in sets if o is not s)]
                    for c in _look(other, s, compare, None, bar.update)] for s in sets]
    found = [[c for c in frames if c.right.any()] for frames in own]
    count, others = sum(map(len, found)), sum(map(len, strange))
    if min(count, others) < _FEWEST:
        raise DatasetError(f'{count} queries with their place among the candidates and {others} '
                           f'foreign pictures: {_FEWEST} of each are needed')
    imagined, where = (_fit_where(found, known) for known in (_IMAGINED, _LOOKED_AT))
    right = [_best([c for c in frames if c.right[_winner(c, where)]], where) for frames in found]
    wrong = [_best(frames, where) for frames in strange]
    whether = _fit_whether(right, wrong)
    reached = np.concatenate(wrong) @ whether[:-1] + whether[-1]
    level = float(np.quantile(reached, 0.99))
    beyond = reached[reached > level] - level
    answerable = [int(s.truth.any(1).sum()) for s in sets]
    frame_score, frame_bits, frame_background, bias = (float(weight) for weight in whether)
    score, share, standing = (float(weight) for weight in imagined[:3])
    look_bits, look_standing, background, contrast = (float(weight) for weight in where[1:])
    return MatchModel(
        score, share, standing, frame_score, frame_bits, bias,
        missed=float(np.clip(np.mean([1 - len(f) / max(n, 1)
                                      for f, n in zip(found, answerable)]), 0.01, 0.5)),
        foreign_level=level, foreign_decay=max(float(beyond.sum()) / max(len(beyond), 1), 0.1),
        look_bits=look_bits, look_standing=look_standing, look_background=background,
        look_contrast=contrast, frame_background=frame_background)


def pictures_of_nothing(each: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """
    Return what cameras send that see no place, and what must match none of a map's blank walls.

    A covered lens with its sensor's noise, white noise, plain colours, slopes of light, a lens
    out of focus.

    :param each: pictures of every kind.
    :param seed: of the noise.
    :returns: uint8 RGB ``[240, 320, 3]``.
    """
    rng = np.random.default_rng(seed)
    shape = (240, 320, 3)
    across = np.linspace(0.0, 1.0, shape[1])[None, :, None]

    def blurred(rows: int, cols: int, way: int) -> _Array:
        small = rng.uniform(0, 255, (rows, cols, 3))
        return np.asarray(cv2.resize(small, shape[1::-1], interpolation=way))

    found = []
    for _ in range(each):
        dark, bright = np.sort(rng.uniform(0, 255, 2))
        found += [rng.normal(rng.uniform(2, 30), rng.uniform(1, 8), shape),
                  rng.uniform(0, 255, shape),
                  blurred(60, 80, cv2.INTER_NEAREST),
                  np.broadcast_to(rng.uniform(0, 255, 3), shape) + rng.normal(0, 1, shape),
                  np.broadcast_to(dark + (bright - dark) * across, shape),
                  blurred(int(rng.integers(3, 9)), int(rng.integers(4, 12)), cv2.INTER_CUBIC)]
    return [np.clip(picture, 0, 255).astype(np.uint8) for picture in found]


def typical_of_nothing(nothing: Encodings) -> NDArray[np.uint8]:
    """
    Return the tokens that most pictures of a kind agree on, for `MatchModel.with_nothing`.

    :param nothing: of `pictures_of_nothing`, whose kinds take turns.
    :raises ValueError: they have no tokens.
    """
    if nothing.tokens is None:
        raise ValueError('pictures of nothing need their patch tokens')
    bits = np.unpackbits(nothing.tokens, axis=2)
    return np.stack([np.packbits(bits[kind::NOTHING_KINDS].mean(0) > 0.5, axis=1)
                     for kind in range(NOTHING_KINDS)])


def _look(frames: Encodings, at: LabelledPlaces, compare: TokenComparison,
          truth: NDArray[np.bool_] | None, done: Callable[[int], object]
          ) -> Iterator[_Candidates]:
    """Look again at the candidates of frames in a map; those without a place are left out."""
    tokens, known = frames.tokens, at.places.tokens
    if tokens is None or known is None:
        return
    bits = 8 * frames.descriptors.shape[1]
    for i, distances in enumerate(hamming_distances(frames.descriptors, at.places.descriptors)):
        done(1)
        if truth is not None and not truth[i].any():
            continue
        rows = nearest_rows(distances, SECOND_LOOK)
        seen = compare(tokens[i], known[rows])
        features = np.column_stack([seen.scores, distances[rows] / bits,
                                    standing_out(distances)[rows], seen.compared])
        yield _Candidates(features, np.zeros(len(rows), bool) if truth is None
                          else truth[i, rows])


def _winner(candidates: _Candidates, where: _Array) -> int:
    return int(np.argmax(candidates.features @ where))


def _best(frames: Sequence[_Candidates], where: _Array) -> _Array:
    """Return what `MatchModel.of_the_map` takes of the likeliest candidates, ``[frames, 3]``."""
    found = [c.features[_winner(c, where), _OF_THE_MAP] for c in frames]
    return np.reshape(found, (-1, len(_OF_THE_MAP)))


def _fit_where(sets: Sequence[Sequence[_Candidates]], known: list[int]) -> _Array:
    """Return weights of all features: those that are not known have none."""
    frames = [(c.features[:, known] * _SCALES[known], c.right, 1.0 / len(found))
              for found in sets for c in found if not c.right.all()]

    def loss(weights: _Array) -> tuple[float, _Array]:
        total, slope = _RIDGE * float(weights @ weights), 2 * _RIDGE * weights
        for features, right, share in frames:
            value = features @ weights
            likely = np.exp(value - value.max())
            likely /= likely.sum()
            hit = likely[right].sum()
            total -= share * float(np.log(hit + 1e-12))
            slope = slope - share * ((likely * right / (hit + 1e-12) - likely) @ features)
        return total, slope

    found = np.zeros(len(_SCALES))
    found[known] = minimize(loss, np.zeros(len(known)), jac=True).x * _SCALES[known]
    return found


def _fit_whether(right: Sequence[_Array], wrong: Sequence[_Array]) -> _Array:
    """Return weights of the features and the bias, with both kinds equally likely before."""
    scales = _SCALES[_OF_THE_MAP]
    parts = [(part, float(label), 1.0 / len(part))
             for label, kind in ((True, right), (False, wrong)) for part in kind if len(part)]
    features = np.concatenate([
        np.hstack([part * scales, np.ones((len(part), 1))]) for part, _, _ in parts])
    labels, shares = (np.concatenate([np.full(len(part), values[i]) for part, *values in parts])
                      for i in (0, 1))

    def loss(weights: _Array) -> tuple[float, _Array]:
        value, ridge = features @ weights, np.append(weights[:-1], 0.0)
        each = np.logaddexp(0, value) - labels * value
        slope = features.T @ (shares * (1 / (1 + np.exp(-value)) - labels))
        return (float(shares @ each) + _RIDGE * float(ridge @ ridge),
                np.asarray(slope + 2 * _RIDGE * ridge))

    return np.asarray(minimize(loss, np.zeros(len(scales) + 1), jac=True).x * [*scales, 1.0])
