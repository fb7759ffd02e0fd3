# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Networks from files: checkpoints of the training loop, and exported models."""

from __future__ import annotations

from dataclasses import asdict
import json
from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper
from tetra_vpr_ros.training.config import ConfigError, from_mapping
from tetra_vpr_ros.training.network.packing import unpack_ternary
from tetra_vpr_ros.training.network.place_network import NetworkConfig, PlaceNetwork
from tetra_vpr_ros.training.network.ternary import Int8Linear, TernaryLinear
import torch


class CheckpointError(RuntimeError):
    """A file that holds no network of ours; the text names it."""


def network_entry(config: NetworkConfig) -> dict[str, Any]:
    """Return a network's configuration as plain values, for a checkpoint or a model file."""
    return json.loads(json.dumps(asdict(config)))


def load_network(path: Path) -> PlaceNetwork:
    """
    Restore a network from a checkpoint (``.pt``) or a model file (``.onnx``).

    A model file holds no latent weights: training continues from the rounded ones.

    :raises CheckpointError: the file does not exist or is none of ours.
    """
    if not path.is_file():
        raise CheckpointError(f'no such checkpoint or model: {path}')
    try:
        return _from_model(path) if path.suffix == '.onnx' else _from_checkpoint(path)
    except (KeyError, ConfigError, RuntimeError, ValueError, EOFError) as error:
        raise CheckpointError(f'{path} holds no network of this package: {error}') from error
    except Exception as error:  # protobuf and pickle raise their own kinds
        raise CheckpointError(f'{path} cannot be read: {error}') from error


def _from_checkpoint(path: Path) -> PlaceNetwork:
    state = torch.load(path, weights_only=True, map_location='cpu')
    network = PlaceNetwork(from_mapping(NetworkConfig, state['config']))
    network.load_state_dict(state['network'])
    return network.eval()


def model_metadata(path: Path) -> dict[str, str]:
    """Return what a model file says of itself."""
    return _metadata(onnx.load(str(path)))


def _metadata(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def _from_model(path: Path) -> PlaceNetwork:
    model = onnx.load(str(path))
    metadata = _metadata(model)
    if 'network' not in metadata:
        raise CheckpointError('its metadata does not describe the network')
    if metadata.get('format', 'packed-uint8') != 'packed-uint8':
        raise CheckpointError(f"its weights are stored as {metadata['format']}: only "
                              'packed-uint8 files can be read back')
    network = PlaceNetwork(from_mapping(NetworkConfig, json.loads(metadata['network'])))
    stored = {entry.name: torch.from_numpy(numpy_helper.to_array(entry).copy())
              for entry in model.graph.initializer}
    quantized = {name for name, layer in network.named_modules()
                 if isinstance(layer, (TernaryLinear, Int8Linear))}
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            owner, _, kind = name.rpartition('.')
            if owner in quantized and kind == 'channel_scale':
                parameter.copy_(stored[f'{owner}.scale'].reshape(parameter.shape))
            elif owner in quantized and kind == 'weight':
                parameter.copy_(_weight(network.get_submodule(owner), stored, owner))
            elif name == 'backbone.patch_embed.proj.weight':
                # The file holds kernels of raw pixels, scaled up by 256.
                kernel = stored[name].float() / 256 * network.std
                parameter.copy_(kernel.flatten(1))
            elif parameter.requires_grad:  # a bias that never moves is not stored
                parameter.copy_(stored[name].float().reshape(parameter.shape))
        for name, buffer in network.named_buffers():
            if name in stored:  # the ranges of static activations
                buffer.copy_(stored[name].float())
        if 'backbone.patch_embed.proj' not in quantized:
            projection = network.backbone.patch_embed.proj
            shape = (len(projection.weight), 3, -1)
            raw = projection.weight.reshape(shape) / network.std.reshape(1, 3, 1)
            projection.bias += (raw * network.mean.reshape(1, 3, 1)).sum((1, 2))
    return network.eval()


def _weight(layer: torch.nn.Module, stored: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """Return a latent weight that rounds to the stored codes and scales."""
    scale = stored[f'{name}.scale'].reshape(-1, 1)
    if isinstance(layer, Int8Linear):
        return stored[f'{name}.codes'].T.float() * scale
    codes = torch.from_numpy(unpack_ternary(stored[f'{name}.packed'].numpy())).T.float()
    if layer.scale_mode == 'learned':
        return codes * scale
    # An absmean scale is the mean of |w|: with codes times c it is c times the share of
    # codes that are not zero, and c must make that the stored scale.
    share = codes.abs().mean(1, keepdim=True) if layer.scale_mode == 'channel' \
        else codes.abs().mean().reshape(1, 1)
    return codes * scale / share.clamp_min(1e-8)
