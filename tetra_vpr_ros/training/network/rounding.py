# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Error-compensated ternary rounding of a pretrained network.

After GPTQ (Frantar et al., arXiv 2210.17323): the columns of a weight matrix
are rounded one after another, and the error of each is spread over the columns
still to come so that the layer's output on real inputs changes least.
"""

from __future__ import annotations

from collections.abc import Iterable

from tetra_vpr_ros.training.network.ternary import ternary_codes, TernaryLinear
from tetra_vpr_ros.training.network.vit import TernaryViT
import torch
from tqdm import tqdm


def best_channel_scale(weight: torch.Tensor, importance: torch.Tensor) -> torch.Tensor:
    """
    Search the scale per output channel with the least weighted rounding error.

    :param weight: ``[out, in]``.
    :param importance: mean square of each input, ``[in]``.
    :returns: ``[out, 1]``.
    """
    absmean = weight.abs().mean(dim=1, keepdim=True).clamp_min(1e-8)
    best = absmean.clone()
    least = torch.full_like(absmean, float('inf'))
    for factor in torch.linspace(0.7, 2.2, 31).tolist():
        scale = absmean * factor
        error = (ternary_codes(weight, scale) * scale - weight) ** 2 * importance
        error = error.sum(dim=1, keepdim=True)
        best = torch.where(error < least, scale, best)
        least = torch.minimum(error, least)
    return best


def round_layer(layer: TernaryLinear, gram: torch.Tensor, damping: float = 0.01,
                compensate: bool = True) -> None:
    """
    Round one layer in place, keeping what GPTQ compensated in the latent weight.

    :param layer: a learned scale is searched, another is the layer's own.
    :param gram: ``X^T X / n`` of the layer's inputs, ``[in, in]``.
    :param damping: share of the mean diagonal added to the diagonal.
    :param compensate: False rounds to the nearest code, for comparison.
    """
    weight = layer.weight.data.clone()
    size = weight.shape[1]
    diagonal = gram.diagonal().mean()
    learned = layer.scale_mode == 'learned'
    scale = (best_channel_scale(weight, gram.diagonal()) if learned
             else layer.scale().detach().expand(len(weight), 1))
    if not compensate:
        if learned:
            layer.channel_scale.data = scale
        return
    gram = gram + damping * diagonal * torch.eye(size)
    # Rows of this factor say how the error of a column is best compensated.
    factor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(gram)), upper=True)
    latent = torch.empty_like(weight)
    block = 128
    for start in range(0, size, block):
        stop = min(start + block, size)
        errors = torch.zeros(weight.shape[0], stop - start)
        for j in range(start, stop):
            column = weight[:, j]
            latent[:, j] = column
            rounded = ternary_codes(column, scale[:, 0]) * scale[:, 0]
            error = (column - rounded) / factor[j, j]
            weight[:, j:stop] -= error[:, None] * factor[j, j:stop][None]
            errors[:, j - start] = error
        weight[:, stop:] -= errors @ factor[start:stop, stop:]
    # Beyond 1.5 scales the code is certain; further out training could not turn it back.
    layer.weight.data = latent.clamp(-1.5 * scale, 1.5 * scale)
    if learned:
        layer.channel_scale.data = scale


@torch.no_grad()
def round_network(model: TernaryViT, images: torch.Tensor, batch: int = 16,
                  compensate: bool = True) -> None:
    """
    Round every ternary layer, first to last, each on the inputs it will see.

    :param model: with a pretrained float trunk in its latent weights.
    :param images: normalised calibration images ``[n, 3, H, W]``; about 100 suffice.
    :param batch: images per forward pass.
    :param compensate: see `round_layer`.
    """
    hidden = [model.embed(part) for part in images.split(batch)]
    for block in tqdm(model.blocks, desc='ternary rounding', unit='block'):
        for layer in _layers(block):
            layer.q = 0.0
        for layer in _layers(block):
            gram = _input_gram(layer, block, hidden)
            round_layer(layer, gram, compensate=compensate)
            layer.q = 1.0
        hidden = [block(part) for part in hidden]


def _layers(block: torch.nn.Module) -> list[TernaryLinear]:
    return [layer for layer in block.modules() if isinstance(layer, TernaryLinear)]


def _input_gram(layer: TernaryLinear, block: torch.nn.Module,
                hidden: Iterable[torch.Tensor]) -> torch.Tensor:
    """Average ``x^T x`` over the inputs that reach a layer."""
    size = layer.weight.shape[1]
    total, count = torch.zeros(size, size), 0

    def catch(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal total, count
        x = inputs[0].reshape(-1, size).float()
        total += x.T @ x
        count += len(x)

    hook = layer.register_forward_pre_hook(catch)
    try:
        for part in hidden:
            block(part)
    finally:
        hook.remove()
    return total / count
