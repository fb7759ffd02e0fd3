# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Calibrate fixed ranges of the activations, which cost no pass over them at run time."""

from __future__ import annotations

from dataclasses import replace

from tetra_vpr_ros.training.network import PlaceNetwork
from tetra_vpr_ros.training.ternary import QuantizedLinear
import torch
from torch import nn


@torch.no_grad()
def static_network(network: PlaceNetwork, images: torch.Tensor, batch: int = 16
                   ) -> PlaceNetwork:
    """
    Return the network with static activations: the whole range seen on some images.

    :param network: with activations per token.
    :param images: uint8 ``[n, H, W, 3]``, in all the light that is to be expected;
        about 100 suffice.
    :param batch: images per forward pass.
    """
    vit = replace(network.config.vit, activations='static')
    static = PlaceNetwork(replace(network.config, vit=vit)).to(images.device)
    static.load_state_dict(network.state_dict(), strict=False)
    ranges: dict[str, list[float]] = {}

    def observe(name: str):
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            low, high = ranges.setdefault(name, [0.0, 0.0])
            ranges[name] = [min(low, inputs[0].min().item()), max(high, inputs[0].max().item())]
        return hook

    hooks = [layer.register_forward_pre_hook(observe(name))
             for name, layer in network.named_modules() if isinstance(layer, QuantizedLinear)]
    try:
        for part in images.split(batch):
            network(part)
    finally:
        for hook in hooks:
            hook.remove()
    for name, layer in static.named_modules():
        if isinstance(layer, QuantizedLinear) and layer.activations == 'static':
            low, high = ranges[name]
            scale = max(high - low, 1e-5) / 255
            layer.input_scale.fill_(scale)
            layer.input_zero_point.fill_(round(-low / scale))
    return static.eval()
