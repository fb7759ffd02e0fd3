# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Ternary linear layer with int8 activations (TeTRA, arXiv 2503.02511, section III).

Weights are kept in floating point ("latent") while training and are rounded to
``scale * {-1, 0, +1}`` in the forward pass; gradients pass through the rounding
unchanged (straight-through estimator). A factor ``q`` in 0..1 fades the
rounding in: ``w + q * (quant(w) - w).detach()``.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

ScaleMode = Literal['tensor', 'channel', 'learned']

_EPS = 1e-8


def absmean_scale(weight: torch.Tensor, per_channel: bool) -> torch.Tensor:
    """
    Return the absmean scale of BitNet b1.58 and TeTRA (eq. 2).

    :param weight: ``[out, in]``.
    :param per_channel: one scale per output channel instead of one for the tensor.
    :returns: ``[out, 1]`` when per channel, else ``[1, 1]``.
    """
    if per_channel:
        return weight.abs().mean(dim=1, keepdim=True).clamp_min(_EPS)
    return weight.abs().mean().reshape(1, 1).clamp_min(_EPS)


def ternary_codes(weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Round ``weight / scale`` to -1, 0 or +1 (same shape and dtype as weight)."""
    return (weight / scale).round().clamp(-1, 1)


def quantize_activation(x: torch.Tensor) -> torch.Tensor:
    """
    Round activations to int8 per token by their absolute maximum.

    :param x: ``[..., channels]``.
    :returns: ``x`` on the grid ``max|x| / 127`` of its token, same shape.
    """
    scale = x.abs().amax(dim=-1, keepdim=True).clamp_min(1e-5) / 127.0
    return (x / scale).round() * scale


class TernaryLinear(nn.Module):
    """
    Linear layer whose weights are ternary and whose inputs are int8.

    :param in_features: size of the last axis of the input.
    :param out_features: size of the last axis of the output.
    :param scale_mode: ``tensor`` (absmean of the tensor, as in the paper),
        ``channel`` (absmean of each output channel) or ``learned`` (a
        trained scale per output channel, which error-compensated rounding
        sets first).
    """

    def __init__(self, in_features: int, out_features: int,
                 scale_mode: ScaleMode = 'channel') -> None:
        """Create the layer with a truncated-normal latent weight."""
        super().__init__()
        if scale_mode not in ('tensor', 'channel', 'learned'):
            raise ValueError(
                f"scale_mode must be 'tensor', 'channel' or 'learned', not {scale_mode!r}")
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.trunc_normal_(self.weight, std=0.02)
        self.scale_mode = scale_mode
        if scale_mode == 'learned':
            self.channel_scale = nn.Parameter(absmean_scale(self.weight.data, True).clone())
        self.q = 1.0

    def scale(self) -> torch.Tensor:
        """Return the weight scale, ``[out, 1]`` or ``[1, 1]``."""
        if self.scale_mode == 'learned':
            return self.channel_scale
        return absmean_scale(self.weight, self.scale_mode == 'channel')

    def codes(self) -> torch.Tensor:
        """Return the ternary codes, int8 ``[out, in]``, without gradient."""
        with torch.no_grad():
            return ternary_codes(self.weight, self.scale()).to(torch.int8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[..., in]`` to ``[..., out]``."""
        if self.q <= 0.0:
            return F.linear(x, self.weight, self.bias)
        weight, scale = self.weight, self.scale()
        codes = ternary_codes(weight, scale).detach()
        # The gradient reaches the latent weight unchanged; a learned scale
        # has its own, through the codes.
        rounded = codes * scale if self.scale_mode == 'learned' else codes * scale.detach()
        weight = weight + self.q * (rounded - weight.detach())
        x = x + self.q * (quantize_activation(x) - x).detach()
        return F.linear(x, weight, self.bias)


def set_ternary_factor(module: nn.Module, q: float) -> None:
    """Set the progressive factor of every ternary layer below ``module``."""
    for layer in module.modules():
        if isinstance(layer, TernaryLinear):
            layer.q = float(q)
