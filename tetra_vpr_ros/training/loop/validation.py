# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Recall on held-out places of the training pool: what chooses between checkpoints."""

from __future__ import annotations

import numpy as np
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.data.held_out import ValidationConfig
from tetra_vpr_ros.training.data.place_sets import open_place_set, PlaceSet
from tetra_vpr_ros.training.data.pool import read_rgb
from tetra_vpr_ros.training.data.views import geometric_view, photometric_view, resized
from tetra_vpr_ros.training.network.device import has_bfloat16
from tetra_vpr_ros.training.network.place_network import binarize, PlaceNetwork
from tetra_vpr_ros.training.network.ternary import QuantizedLinear, set_ternary_factor
from tetra_vpr_ros.training.network.token_score import token_scores
import torch
from torch.nn import functional as F


class Validation:
    """
    Place sets whose odd images, in other light, look for their place among the even ones.

    A set without labels is asked for its own images, cut and in other light.

    :param sets: held-out places.
    :param size: height and width that the network sees.
    """

    def __init__(self, sets: list[PlaceSet], size: tuple[int, int]) -> None:
        """Read and change the pictures, always in the same way."""
        self._parts = [_queries(part, size) for part in sets]

    @classmethod
    def of(cls, config: ValidationConfig, size: tuple[int, int]) -> Validation | None:
        """
        Return the validation of a configuration; None without any.

        :param config: the split.
        :param size: height and width that the network sees.
        :raises ConfigError: a pattern holds out none of the images of a set.
        """
        held = config.held_out()
        sets = []
        for i, entry in enumerate(config.places):
            part = open_place_set(entry)
            part = part.subset(np.array([held(image.name) for image in part.images]))
            if len(part) < 4:
                raise ConfigError(f'validation.places[{i}]: patterns and share hold out only '
                                  f'{len(part)} images of {entry.path}')
            sets.append(part)
        return cls(sets, size) if sets else None

    def __call__(self, network: PlaceNetwork) -> dict[str, float]:
        """
        Measure a network, fully quantised; its training state is kept.

        :returns: mean recall@1 over the sets of ``binary`` (Hamming) and ``float``
            (cosine) descriptors and, where the network has codes of its patch tokens, after a
            ``second_look`` at the first places; ``chosen``, by which checkpoints are
            compared: the first, or the mean of first and last; then those of each set.
        """
        found = self._found(network)
        shares = {kind: [float(part.mean()) for part in parts] for kind, parts in found.items()}
        means = {kind: float(np.mean(values)) for kind, values in shares.items()}
        chosen = float(np.mean([means[kind] for kind in means if kind != 'float']))
        return {**means, 'chosen': chosen, **{
            f'{kind}_{i}': value for kind, values in shares.items() if kind != 'float'
            for i, value in enumerate(values)}}

    def hits(self, network: PlaceNetwork) -> dict[str, np.ndarray]:
        """
        Return which queries of all sets find their place, bool ``[queries]``.

        :param network: fully quantised or not; its training state is kept.
        :returns: by ``float``, ``binary`` and, where there are codes of the patch tokens,
            ``second_look``.
        """
        return {kind: np.concatenate(parts) for kind, parts in self._found(network).items()}

    @torch.no_grad()
    def _found(self, network: PlaceNetwork) -> dict[str, list[np.ndarray]]:
        """Return the queries that find their place in each way, for each set."""
        factors = {layer: layer.q for layer in network.modules()
                   if isinstance(layer, QuantizedLinear)}
        set_ternary_factor(network, 1.0)
        where = next(network.parameters()).device

        head = network.token_head if network.token_head is not None and \
            network.token_head.fitted else None

        def embed(images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor | None]:
            embeddings, codes = [], []
            for part in torch.from_numpy(images).split(16):
                with torch.autocast(where.type, torch.bfloat16, enabled=has_bfloat16(where)):
                    tokens = network.tokens(part.to(where))
                embeddings.append(network.aggregation(tokens.float()).cpu())
                if head is not None:
                    codes.append((head(tokens.float()) > 0).cpu())
            return torch.cat(embeddings), torch.cat(codes) if codes else None

        found: dict[str, list[np.ndarray]] = {'binary': [], 'float': []}
        for database, queries, truth in self._parts:
            (a, places), (b, looks) = embed(database), embed(queries)
            rows = np.arange(len(queries))
            for kind, x, y in (('float', F.normalize(a), F.normalize(b)),
                               ('binary', binarize(a), binarize(b))):
                near = y @ x.T
                found[kind].append(truth[rows, near.argmax(1).numpy()])
            if places is not None and looks is not None:
                best = _second_look(near, looks, places, network.config.vit.grid)
                found.setdefault('second_look', []).append(truth[rows, best])
        for layer, q in factors.items():
            layer.q = q
        return found


def _second_look(near: torch.Tensor, queries: torch.Tensor, places: torch.Tensor,
                 grid: tuple[int, int], first: int = 20) -> np.ndarray:
    """
    Return the place of each query whose tokens agree best, among those that are nearest.

    :param near: similarity of the descriptors ``[Q, P]``.
    :param queries: token codes, bool ``[Q, tokens, bits]``.
    :param places: of the places, ``[P, tokens, bits]``.
    :param grid: rows and columns of tokens.
    :param first: places that are looked at.
    """
    candidates = near.topk(min(first, near.shape[1])).indices
    best = []
    for query, rows in zip(queries, candidates):
        signs = [2.0 * codes.float() - 1.0 for codes in (query[None], places[rows])]
        best.append(int(rows[token_scores(signs[0], signs[1], grid)[0].argmax()]))
    return np.array(best)


def _queries(part: PlaceSet, size: tuple[int, int], seed: int = 0, lights: int = 3
             ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Return database and query pictures, and which of them show one place.

    Every query comes in several lights: held-out places are few, and recall on
    few pictures is too noisy to choose by.
    """
    rng = np.random.default_rng(seed)
    pictures = {i: image for i in range(len(part))
                if (image := read_rgb(part.images[i].path)) is not None}
    labelled = part.config.kind != 'images'
    order = sorted(pictures)
    database = order[::2] if labelled else order
    queries = order[1::2] if labelled else order
    truth = np.zeros((len(queries), len(database)), bool)
    column = {index: i for i, index in enumerate(database)}
    for row, index in enumerate(queries):
        for other in part.same_place(index):
            if int(other) in column:
                truth[row, column[int(other)]] = True
    answerable = truth.any(1)
    if not answerable.any():
        raise ConfigError('validation.places: of the pictures that are held out of '
                          f'{part.config.path} none shows the place of another: hold out more of '
                          'them, or widen its radius')
    queries = [index for index, kept in zip(queries, answerable) if kept]

    def changed(image: np.ndarray) -> np.ndarray:
        if not labelled:
            image = geometric_view(image, max(size), rng, mirror=False)
        return photometric_view(resized(image, size), rng)

    return (np.stack([resized(pictures[i], size) for i in database]),
            np.stack([changed(pictures[i]) for i in queries for _ in range(lights)]),
            truth[answerable].repeat(lights, axis=0))
