# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A model file back into a network, so that it can be trained further."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from onnx import numpy_helper
from tetra_vpr_ros.training.config_keys import from_mapping
from tetra_vpr_ros.training.network.packing import unpack_ternary
from tetra_vpr_ros.training.network.place_network import NetworkConfig, PlaceNetwork
from tetra_vpr_ros.training.network.ternary import Int8Linear, TernaryLinear
from tetra_vpr_ros.training.onnx_export.graph import PATCH_PROJECTION
import torch


def model_metadata(path: Path) -> dict[str, str]:
    """Return what a model file says of itself."""
    return _metadata(onnx.load(str(path)))


def _metadata(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def restore_network(path: Path) -> PlaceNetwork:
    """
    Return a network whose latent weights are the rounded ones of a model file.

    :raises ValueError: the file does not describe its network, or its format is write-only.
    """
    model = onnx.load(str(path))
    metadata = _metadata(model)
    if 'network' not in metadata:
        raise ValueError('its metadata does not describe the network')
    if metadata.get('format', 'packed-uint8') != 'packed-uint8':
        raise ValueError(f"its weights are stored as {metadata['format']}: only packed-uint8 "
                         'files can be read back')
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
            elif name == f'{PATCH_PROJECTION}.weight':
                kernel = _pixel_kernel(stored, network) * network.normalise.std
                parameter.copy_(kernel.flatten(1))
            # A bias that never moves is not stored.
            elif parameter.requires_grad or name in stored:
                parameter.copy_(stored[name].float().reshape(parameter.shape))
        for name, buffer in network.named_buffers():
            if name in stored:  # the ranges of static activations
                buffer.copy_(stored[name].float())
        if PATCH_PROJECTION not in quantized:
            projection = network.backbone.patch_embed.proj
            shape = (len(projection.weight), 3, -1)
            raw = projection.weight.reshape(shape) / network.normalise.std.reshape(1, 3, 1)
            projection.bias += (raw * network.normalise.mean.reshape(1, 3, 1)).sum((1, 2))
    return network.eval()


def _pixel_kernel(stored: dict[str, torch.Tensor], network: PlaceNetwork) -> torch.Tensor:
    """Return the kernels of raw pixels, ``[C, 3, patch, patch]``."""
    name, patch = PATCH_PROJECTION, network.config.vit.patch_size
    if f'{name}.codes' in stored:  # bytes as they lie: rows, columns, RGB
        kernel = stored[f'{name}.codes'].T.float() * stored[f'{name}.scale'].reshape(-1, 1)
        return kernel.unflatten(1, (patch, patch, 3)).permute(0, 3, 1, 2)
    return stored[f'{name}.weight'].float() / 256  # stored scaled up


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
