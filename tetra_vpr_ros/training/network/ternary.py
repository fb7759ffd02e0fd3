# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Ternary and int8 linear layers with int8 activations (TeTRA, arXiv 2503.02511, section III).

Weights are kept in floating point ("latent") while training and are rounded to
``scale * {-1, 0, +1}`` in the forward pass; gradients pass through the rounding
unchanged (straight-through estimator). A factor ``q`` in 0..1 fades the
rounding in: ``w + q * (quant(w) - w).detach()``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

ScaleMode = Literal['tensor', 'channel', 'learned']
Precision = Literal['ternary', 'int8', 'float']
Activations = Literal['token', 'static']

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


def quantize_static(x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor
                    ) -> torch.Tensor:
    """
    Round activations to uint8 of a fixed range.

    :param x: any shape.
    :param scale: of one step.
    :param zero_point: the code of zero, 0..255.
    :returns: ``x`` on the grid, same shape.
    """
    return (((x / scale).round() + zero_point).clamp(0, 255) - zero_point) * scale


class QuantizedLinear(nn.Module, ABC):
    """
    Linear layer with few-valued weights and 8-bit inputs; see the subclasses.

    :param activations: ``token`` quantises each token by its own maximum, as in
        the paper; ``static`` by a calibrated range, which is faster.
    :ivar limit: largest code of a weight.
    """

    limit = 0

    def __init__(self, in_features: int, out_features: int,
                 activations: Activations = 'token') -> None:
        """Create the layer with a truncated-normal latent weight."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.trunc_normal_(self.weight, std=0.02)
        # A tensor, so that a compiled network need not be compiled again when it changes.
        self.register_buffer('_q', torch.ones(()), persistent=False)
        self.activations = activations
        if activations == 'static':
            self.register_buffer('input_scale', torch.ones(()))
            self.register_buffer('input_zero_point', torch.full((), 128.0))

    @property
    def q(self) -> float:
        """Progressive factor: 0 computes in floating point, 1 fully quantised."""
        return float(self._q)

    @q.setter
    def q(self, value: float) -> None:
        self._q.fill_(value)

    @abstractmethod
    def scale(self) -> torch.Tensor:
        """Return the weight scale, ``[out, 1]`` or ``[1, 1]``."""

    def codes(self) -> torch.Tensor:
        """Return the weight codes, int8 ``[out, in]``, without gradient."""
        with torch.no_grad():
            return self._codes(self.scale()).to(torch.int8)

    def _codes(self, scale: torch.Tensor) -> torch.Tensor:
        return (self.weight / scale).round().clamp(-self.limit, self.limit)

    def _rounded(self) -> torch.Tensor:
        scale = self.scale().detach()
        return self._codes(scale).detach() * scale

    def _rounded_input(self, x: torch.Tensor) -> torch.Tensor:
        if self.activations == 'static':
            return quantize_static(x, self.input_scale, self.input_zero_point)
        return quantize_activation(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[..., in]`` to ``[..., out]``."""
        # The gradient reaches the latent weight unchanged (straight through).
        weight = self.weight + self._q * (self._rounded() - self.weight.detach())
        x = x + self._q * (self._rounded_input(x) - x).detach()
        return F.linear(x, weight, self.bias)


class TernaryLinear(QuantizedLinear):
    """
    Linear layer whose weights are ternary and whose inputs are int8.

    :param in_features: size of the last axis of the input.
    :param out_features: size of the last axis of the output.
    :param scale_mode: ``tensor`` (absmean of the tensor, as in the paper),
        ``channel`` (absmean of each output channel) or ``learned`` (a
        trained scale per output channel, which error-compensated rounding
        sets first).
    :param activations: see `QuantizedLinear`.
    """

    limit = 1

    def __init__(self, in_features: int, out_features: int,
                 scale_mode: ScaleMode = 'channel',
                 activations: Activations = 'token') -> None:
        """Create the layer."""
        super().__init__(in_features, out_features, activations)
        if scale_mode not in ('tensor', 'channel', 'learned'):
            raise ValueError(
                f"scale_mode must be 'tensor', 'channel' or 'learned', not {scale_mode!r}")
        self.scale_mode = scale_mode
        if scale_mode == 'learned':
            self.channel_scale = nn.Parameter(absmean_scale(self.weight.data, True).clone())

    def scale(self) -> torch.Tensor:
        """Return the weight scale, ``[out, 1]`` or ``[1, 1]``."""
        if self.scale_mode == 'learned':
            return self.channel_scale
        return absmean_scale(self.weight, self.scale_mode == 'channel')

    def _rounded(self) -> torch.Tensor:
        if self.scale_mode == 'learned':  # its gradient comes through the codes
            return self._codes(self.channel_scale).detach() * self.channel_scale
        return super()._rounded()


class Int8Linear(QuantizedLinear):
    """
    Linear layer with integer weights of at most 63, a scale per output channel.

    Seven bits, not eight: processors without VNNI add two products of a byte
    and a weight in 16 bits, which eight-bit weights overflow.
    """

    limit = 63

    def scale(self) -> torch.Tensor:
        """Return the scale ``max|w| / 63`` of each output channel, ``[out, 1]``."""
        return self.weight.abs().amax(dim=1, keepdim=True).clamp_min(_EPS) / self.limit


def make_linear(in_features: int, out_features: int, precision: Precision,
                scale_mode: ScaleMode = 'channel',
                activations: Activations = 'token') -> nn.Module:
    """
    Return a linear layer of the given precision.

    :raises ValueError: another precision.
    """
    if precision == 'ternary':
        return TernaryLinear(in_features, out_features, scale_mode, activations)
    if precision == 'int8':
        return Int8Linear(in_features, out_features, activations)
    if precision == 'float':
        return nn.Linear(in_features, out_features)
    raise ValueError(f"precision must be 'ternary', 'int8' or 'float', not {precision!r}")


def set_ternary_factor(module: nn.Module, q: float) -> None:
    """Set the progressive factor of every quantised layer below ``module``."""
    for layer in module.modules():
        if isinstance(layer, QuantizedLinear):
            layer.q = float(q)
