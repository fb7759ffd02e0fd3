# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a stage starts from: a trunk, a model of ours, or chance."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from tetra_vpr_ros.training.config_keys import ConfigError, Count
from tetra_vpr_ros.training.loop.checkpoint import load_network
from tetra_vpr_ros.training.network.place_network import NetworkConfig, PlaceNetwork
from tetra_vpr_ros.training.network.rounding import round_network
from tetra_vpr_ros.training.network.vit import load_timm_trunk
import torch


@dataclass(frozen=True)
class StartConfig:
    """
    Where the weights come from.

    :ivar trunk: pretrained float ViT, safetensors with timm's key names.
    :ivar model: a model file (``.onnx``) or checkpoint (``.pt``) of ours instead. A network of
        ReLUs may begin with one that was trained with GELUs.
    :ivar compensate: round a trunk with error compensation, else to the nearest code.
    :ivar calibration: images for that, and four times as many for the heads.
    :ivar fit_head: set the descriptor's head by regression on the teacher's.
    """

    trunk: str = ''
    model: str = ''
    compensate: bool = True
    calibration: Count = 96
    fit_head: bool = True


def start_network(start: StartConfig, config: NetworkConfig, seed: int,
                  images: torch.Tensor | None, new_head: bool = False) -> PlaceNetwork:
    """
    Build a network from a trunk, a model of ours, or at random.

    :param start: which.
    :param config: its shape.
    :param seed: of the weights that are drawn at random.
    :param images: uint8 ``[n, H, W, 3]`` that a trunk is rounded on.
    :param new_head: a model's aggregation may be another, and begins at random then.
    :raises ConfigError: the files do not exist or do not fit.
    """
    torch.manual_seed(seed)
    network = PlaceNetwork(config)
    if start.model:
        source = load_network(Path(start.model))
        kept, wanted = source.config.aggregation, config.vit
        if not new_head and kept != config.aggregation:
            differing = ', '.join(
                f'{entry.name}: {getattr(kept, entry.name)}' for entry in fields(kept)
                if getattr(kept, entry.name) != getattr(config.aggregation, entry.name))
            raise ConfigError(f'{start.model} has another aggregation than network.aggregation, '
                              f'which would begin at random: write {{{differing}}} there')
        if wanted.activations == 'static' and source.config.vit.activations == 'token':
            raise ConfigError(f'{start.model} has no static ranges yet: train it with '
                              'network.vit.activations: token and export it as static')
        # A ReLU is learned from a GELU by training on; the other way round is a mistake.
        learned = wanted if wanted.nonlinearity == 'relu' else source.config.vit
        if replace(source.config.vit, activations=wanted.activations,
                   nonlinearity=learned.nonlinearity) != wanted:
            raise ConfigError(f'{start.model} has another backbone: {source.config.vit}, not '
                              f'{wanted}')
        state = source.backbone.state_dict()
        network.backbone.load_state_dict({name: state[name]
                                          for name in network.backbone.state_dict()})
        network.norm.load_state_dict(source.norm.state_dict())
        if kept == config.aggregation:
            network.aggregation.load_state_dict(source.aggregation.state_dict())
        # Tokens that move little keep their head; 'train tokens' fits it anew.
        if network.token_head is not None and source.config.token_bits == config.token_bits:
            network.token_head.load_state_dict(source.token_head.state_dict())
    elif start.trunk:
        try:
            state = load_file(start.trunk)
        except (OSError, SafetensorError) as error:
            raise ConfigError(f'start.trunk: cannot read {start.trunk}: {error}') from error
        load_timm_trunk(network.backbone, state)
        assert images is not None
        round_network(network.backbone, network.normalise(images),
                      compensate=start.compensate)
    return network
