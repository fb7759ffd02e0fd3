# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Weights between those before and after a training.

A network that learns something new unlearns some of what it knew. Between its weights before
and after lies one that has most of both (WiSE-FT, arXiv 2109.01903, eq. 1). Here it is the
latent weights that are interpolated, and rounded anew: of codes those stay changed that the
training was surest of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.loop.checkpoint import load_network
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
import torch


@dataclass(frozen=True)
class InterpolateConfig:
    """
    Where between two networks.

    :ivar start: what the training started from; a model file or checkpoint.
    :ivar share: of the trained weights, 0..1.
    """

    start: str = ''
    share: float = 0.7

    def __post_init__(self) -> None:
        """Check the share."""
        if not 0 <= self.share <= 1:
            raise ValueError(f'share must lie in 0..1, not {self.share}')


def interpolate(config: InterpolateConfig, trained: PlaceNetwork) -> PlaceNetwork:
    """
    Return the network between the start and a trained one.

    Ranges of static activations are of neither, and are measured by the export. What the trained
    network has in another shape (an aggregation that the training did without) is the start's.

    :param config: the start, and the share.
    :param trained: what became of it.
    :raises ConfigError: no start is named, or it has another backbone.
    """
    if not config.start:
        raise ConfigError('interpolate.start names no model: it is what the training began with')
    start = load_network(Path(config.start))
    shape = replace(start.config, vit=replace(start.config.vit, activations='token'))
    if replace(trained.config.vit, activations='token') != shape.vit:
        raise ConfigError(f'interpolate.start: {config.start} has another backbone than the '
                          f'trained network: {start.config.vit}, not {trained.config.vit}')
    between = PlaceNetwork(shape)
    before, after = start.state_dict(), trained.state_dict()
    if trained.config.aggregation != shape.aggregation:
        after = {name: value for name, value in after.items()
                 if not name.startswith('aggregation.')}
    values = {}
    for name in between.state_dict():
        old, new = before[name], after.get(name)
        values[name] = old if new is None or new.shape != old.shape else torch.lerp(
            old, new, config.share)
    between.load_state_dict(values)
    return between.eval()
