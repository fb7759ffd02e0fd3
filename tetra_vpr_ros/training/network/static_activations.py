# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Calibrate fixed ranges of the activations, which cost no pass over them at run time."""

from __future__ import annotations

from dataclasses import replace

from tetra_vpr_ros.training.network.place_network import PlaceNetwork
from tetra_vpr_ros.training.network.ternary import QuantizedLinear
import torch
from torch import nn


@torch.no_grad()
def static_network(network: PlaceNetwork, images: torch.Tensor, batch: int = 16,
                   outliers: float = 3e-4) -> PlaceNetwork:
    """
    Return the network with static activations, their ranges seen on some images.

    :param network: with activations per token.
    :param images: uint8 ``[n, H, W, 3]``, in all the light that is to be expected;
        about 100 suffice.
    :param batch: images per forward pass.
    :param outliers: share of an image's activations, at either end, that its range
        leaves out. Finer steps for all others are worth more: without outliers half
        as many bits depend on the order in which a runtime adds.
    """
    vit = replace(network.config.vit, activations='static')
    static = PlaceNetwork(replace(network.config, vit=vit)).to(images.device)
    static.load_state_dict(network.state_dict(), strict=False)
    ranges: dict[str, list[torch.Tensor]] = {}

    def observe(name: str):
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            values = inputs[0].flatten(1)
            count = int(outliers * values.shape[1]) + 1
            low = values.topk(count, largest=False).values[:, -1]
            high = values.topk(count).values[:, -1]
            ranges.setdefault(name, []).append(torch.stack([low, high], dim=1))
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
            low, high = torch.cat(ranges[name]).mean(0).tolist()
            low, high = min(low, 0.0), max(high, 0.0)
            scale = max(high - low, 1e-5) / 255
            layer.input_scale.fill_(scale)
            layer.input_zero_point.fill_(round(-low / scale))
    return static.eval()
