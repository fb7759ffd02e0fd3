# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The descriptor of visual words, fitted in closed form to what the network's tokens show.

Nothing is trained, and neither labels nor a teacher are asked: words are the centres of the
tokens of many pictures, the projection is their residuals' whitening.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import faiss
import numpy as np
from tetra_vpr_ros.training.config_keys import ConfigError, Count, Natural, Positive, Share
from tetra_vpr_ros.training.data.pool import picture_batches, PoolImage
from tetra_vpr_ros.training.data.views import resized
from tetra_vpr_ros.training.loop.run_config import RunConfig
from tetra_vpr_ros.training.network.aggregation import AggregationConfig, VladHead
from tetra_vpr_ros.training.network.place_network import NetworkConfig, PlaceNetwork
from tetra_vpr_ros.training.network.rounding import round_layer
from tetra_vpr_ros.training.network.ternary import Precision, TernaryLinear
from tetra_vpr_ros.training.stages.distill_config import DistillConfig
from tetra_vpr_ros.training.teachers.targets import whitened_axes
import torch

_BATCH = 16
_ITERATIONS = 20


@dataclass(frozen=True)
class WordConfig:
    """
    How the descriptor of visual words is fitted.

    :ivar words: of the vocabulary.
    :ivar channels: of a token that is compared with them; ``words * channels`` numbers a picture.
    :ivar bits: of the descriptor; 0 takes ``network.aggregation.bits``.
    :ivar precision: of the last projection.
    :ivar sharpness: s of the soft assignment ``softmax(-s/2 |x - w|^2)``, of tokens x about the
        mean of their picture with unit variance on average.
    :ivar whitening: of the channels and of the last projection: 0 keeps variances, 1 makes them
        all equal.
    :ivar images: that the projection is fitted on at most, drawn from ``distill.images``.
    :ivar vocabulary: of them that channels and words are fitted on.
    """

    words: Count = 32
    channels: Count = 64
    bits: Natural = 0
    precision: Precision = 'ternary'
    sharpness: Positive = 1 / 3
    whitening: Share = 0.5
    images: Count = 10000
    vocabulary: Count = 1500

    def shape(self, network: NetworkConfig) -> AggregationConfig:
        """Return the aggregation that takes the place of a network's own."""
        return AggregationConfig(kind='vlad', bits=self.bits or network.bits,
                                 clusters=self.words, cluster_dims=self.channels,
                                 precision=self.precision)


def fit_words(config: RunConfig, stage: DistillConfig, words: WordConfig, network: PlaceNetwork
              ) -> PlaceNetwork:
    """
    Return the network with visual words as its aggregation; nothing else is changed.

    :param config: of the run.
    :param stage: whose pictures are taken; those held out are left out.
    :param words: of the fit.
    :param network: trained, with any aggregation.
    :raises ConfigError: keys contradict each other or the files.
    """
    pool = stage.pictures(config.validation.held_out())
    order = np.random.default_rng(config.seed).permutation(len(pool))[:words.images]
    shape = words.shape(config.network)
    if shape.bits > words.words * words.channels:
        raise ConfigError(f'words: {shape.bits} bits are more than {words.words} words with '
                          f'{words.channels} channels tell apart')
    if words.channels > network.config.vit.width:
        raise ConfigError(f'words.channels: {words.channels} are more than the '
                          f'{network.config.vit.width} of a token')
    fitted = PlaceNetwork(replace(network.config, aggregation=shape)).eval()
    kept = {name: value for name, value in network.state_dict().items()
            if not name.startswith('aggregation.')}
    fitted.load_state_dict({**fitted.state_dict(), **kept})
    _fit(fitted, [pool[i] for i in order], words, config.seed)
    return fitted


@torch.no_grad()
def _fit(network: PlaceNetwork, images: list[PoolImage], words: WordConfig, seed: int) -> None:
    """Fit vocabulary and projection of a network's words in one pass over the pictures."""
    def refuse_few(count: int, what: str) -> None:
        if count <= (numbers := words.words * words.channels):
            raise ConfigError(f'distill.images: {count} pictures {what}; {words.words} words with '
                              f'{words.channels} channels need more than {numbers}')

    refuse_few(len(set(images)), 'are not held out')
    head = network.aggregation
    waiting: list[torch.Tensor] = []
    residuals: list[torch.Tensor] = []

    def begin() -> None:
        """Make the vocabulary of what was seen so far, and go on from there."""
        fit_vocabulary(head, torch.cat(waiting), words, seed)
        residuals.extend(head.residuals(tokens.float()) for tokens in waiting)
        waiting.clear()

    for pictures in picture_batches(images, _BATCH, 'words'):
        seen = np.stack([resized(picture, network.config.vit.input_size)
                         for picture in pictures])
        tokens = network.tokens(torch.from_numpy(seen))
        if residuals:
            residuals.append(head.residuals(tokens))
            continue
        waiting.append(tokens.half())
        if sum(map(len, waiting)) >= words.vocabulary:
            begin()
    if waiting:
        begin()
    refuse_few(sum(map(len, residuals)), 'decode')
    fit_projection(head, torch.cat(residuals), words.whitening, seed)


def fit_vocabulary(head: VladHead, tokens: torch.Tensor, words: WordConfig, seed: int) -> None:
    """
    Set channels and words.

    :param head: of ``words``.
    :param tokens: of pictures, normalised, the class token first, ``[n, 1 + rows*cols, C]``.
    :param words: of the fit.
    :param seed: of the first words.
    """
    patches = tokens[:, 1:].float()
    centred = (patches - patches.mean(1, keepdim=True)).flatten(0, 1)
    axes = _unit_axes(centred, words.channels, words.whitening, seed)
    x = centred @ axes
    means = faiss.Kmeans(words.channels, words.words, niter=_ITERATIONS, seed=seed + 1,
                         max_points_per_centroid=len(x))
    means.train(x.numpy())
    head.reduce.copy_(axes.T)
    head.words.copy_(torch.from_numpy(means.centroids))
    head.sharpness.fill_(words.sharpness)


def fit_projection(head: VladHead, residuals: torch.Tensor, whitening: float, seed: int) -> None:
    """
    Set the projection: principal axes, whitened and rotated at random, thresholds at the mean.

    :param head: with a vocabulary.
    :param residuals: of pictures, ``[n, words * channels]``.
    :param whitening: of the axes.
    :param seed: of the rotation.
    """
    layer = head.project
    centred = (residuals - residuals.mean(0)).double()
    # Embeddings are about one, where the sign has its gradient.
    layer.weight.copy_(_unit_axes(centred, len(layer.weight), whitening, seed).T)
    if isinstance(layer, TernaryLinear):
        round_layer(layer, residuals.T @ residuals / len(residuals))
    layer.bias.zero_()
    layer.bias.copy_(-layer(residuals).mean(0))


def _unit_axes(centred: torch.Tensor, dims: int, whitening: float, seed: int) -> torch.Tensor:
    """
    Return whitened axes on which numbers have unit variance on average.

    :param centred: numbers, ``[n, C]``.
    :param dims: axes that are kept.
    :param whitening: see `whitened_axes`.
    :param seed: of the rotation.
    :returns: ``[C, dims]``.
    """
    wide = centred.double()
    spread = wide.T @ wide / len(wide)
    axes = whitened_axes(spread / spread.diagonal().mean(), dims, whitening, seed)
    axes = axes.to(centred.dtype)
    return axes / (centred @ axes).std()
