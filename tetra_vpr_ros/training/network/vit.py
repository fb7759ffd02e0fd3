# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A plain Vision Transformer (arXiv 2010.11929) with ternary linear layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tetra_vpr_ros.training.config_keys import Count, Natural
from tetra_vpr_ros.training.network.ternary import (
    Activations, make_linear, Precision, QuantizedLinear, ScaleMode)
import torch
from torch import nn
from torch.nn import functional as F

Size: TypeAlias = Literal['tiny', 'small', 'base']

# width, depth, heads
SIZES: dict[str, tuple[int, int, int]] = {
    'tiny': (192, 12, 3), 'small': (384, 12, 6), 'base': (768, 12, 12)}


@dataclass(frozen=True)
class ViTConfig:
    """
    Shape and precision of the backbone.

    :ivar size: gives width, depth and heads where they are 0.
    :ivar image_size: side, or height and width, in pixels; multiples of the patch.
    :ivar norm: ``pre`` (before attention and feed-forward, as pretrained ViTs
        have it) or ``bitnet`` (before every ternary layer).
    :ivar nonlinearity: of the feed-forward pair, ``gelu`` or ``relu``. Static unsigned ranges
        begin at 0 behind a ReLU, so that the quantiser is the ReLU and it costs nothing.
    :ivar activations: 8 bits per ``token``, or ``static`` ranges (see `static_network`).
    :ivar patch_precision: of the patch embedding.
    :ivar last_block_precision: of the last block; ``float`` in the TeTRA paper.
    """

    size: Size = 'small'
    image_size: Count | tuple[Count, Count] = 196
    patch_size: Count = 14
    width: Natural = 0
    depth: Natural = 0
    heads: Natural = 0
    mlp_ratio: Count = 4
    scale_mode: ScaleMode = 'learned'
    norm: Literal['pre', 'bitnet'] = 'pre'
    nonlinearity: Literal['gelu', 'relu'] = 'gelu'
    activations: Activations = 'token'
    patch_precision: Precision = 'float'
    last_block_precision: Precision = 'ternary'

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the image."""
        size = self.image_size
        return (size, size) if isinstance(size, int) else size

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patch tokens."""
        height, width = self.input_size
        return height // self.patch_size, width // self.patch_size

    @property
    def tokens(self) -> int:
        """Patch tokens of an image."""
        return self.grid[0] * self.grid[1]

    def __post_init__(self) -> None:
        """Fill in what the size gives, and check that the shape is possible."""
        if self.size not in SIZES:
            raise ValueError(f'size must be one of {", ".join(SIZES)}, not {self.size!r}')
        for name, value in zip(('width', 'depth', 'heads'), SIZES[self.size]):
            if getattr(self, name) == 0:
                object.__setattr__(self, name, value)
        if not isinstance(self.image_size, int):
            object.__setattr__(self, 'image_size', tuple(self.image_size))
        if any(side % self.patch_size for side in self.input_size):
            raise ValueError(
                f'image_size {self.image_size} is not a multiple of '
                f'patch_size {self.patch_size}')
        if self.width % self.heads:
            raise ValueError(f'width {self.width} is not a multiple of heads {self.heads}')
        if self.norm not in ('pre', 'bitnet'):
            raise ValueError(f"norm must be 'pre' or 'bitnet', not {self.norm!r}")


class PatchEmbed(nn.Module):
    """Cut the image into patches and project each to a token."""

    def __init__(self, config: ViTConfig) -> None:
        """Create the projection."""
        super().__init__()
        self.patch = config.patch_size
        self.proj = make_linear(3 * self.patch**2, config.width, config.patch_precision,
                                config.scale_mode, config.activations)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map ``[B, 3, H, W]`` to ``[B, rows*cols, C]``."""
        batch, channels, height, width = image.shape
        rows, cols = height // self.patch, width // self.patch
        x = image.reshape(batch, channels, rows, self.patch, cols, self.patch)
        x = x.permute(0, 2, 4, 1, 3, 5)  # (B, rows, cols, 3, patch, patch)
        return self.proj(x.reshape(batch, rows * cols, -1))


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, config: ViTConfig, precision: Precision) -> None:
        """Create the two projections."""
        super().__init__()
        self.heads = config.heads
        width = config.width
        options = config.scale_mode, config.activations
        self.qkv = make_linear(width, 3 * width, precision, *options)
        self.norm = (nn.LayerNorm(width, eps=1e-6) if config.norm == 'bitnet'
                     else nn.Identity())
        self.proj = make_linear(width, width, precision, *options)

    def forward(self, x: torch.Tensor, maps: list[torch.Tensor] | None = None) -> torch.Tensor:
        """
        Map ``[B, N, C]`` to ``[B, N, C]``.

        :param maps: a list that the attention's logits ``[B, heads, N, N]`` are
            appended to, where distillation wants them.
        """
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, N, head_dim)
        if maps is not None:
            maps.append(q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(self.norm(x.transpose(1, 2).reshape(batch, tokens, width)))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: ViTConfig, precision: Precision = 'ternary') -> None:
        """Create attention and the feed-forward pair."""
        super().__init__()
        width, hidden = config.width, config.mlp_ratio * config.width
        options = config.scale_mode, config.activations
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(config, precision)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.nonlinearity = F.relu if config.nonlinearity == 'relu' else F.gelu
        self.fc1 = make_linear(width, hidden, precision, *options)
        self.norm3 = (nn.LayerNorm(hidden, eps=1e-6) if config.norm == 'bitnet'
                      else nn.Identity())
        self.fc2 = make_linear(hidden, width, precision, *options)

    def forward(self, x: torch.Tensor, maps: list[torch.Tensor] | None = None) -> torch.Tensor:
        """Map ``[B, N, C]`` to ``[B, N, C]``; ``maps`` as in `Attention`."""
        x = x + self.attn(self.norm1(x), maps)
        return x + self.fc2(self.norm3(self.nonlinearity(self.fc1(self.norm2(x)))))


class TernaryViT(nn.Module):
    """
    Vision Transformer: image to class and patch tokens.

    :param config: shape of the network.
    """

    def __init__(self, config: ViTConfig) -> None:
        """Create the network with random weights."""
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.tokens + 1, config.width))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        precisions: list[Precision] = ['ternary'] * (config.depth - 1)
        self.blocks = nn.ModuleList(
            Block(config, precision) for precision in [*precisions, config.last_block_precision])

    def embed(self, image: torch.Tensor) -> torch.Tensor:
        """Turn normalised ``[B, 3, H, W]`` into the tokens that enter block 0."""
        x = self.patch_embed(image)  # (B, rows*cols, C)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        return x + self.pos_embed

    def forward(self, image: torch.Tensor, maps: list[torch.Tensor] | None = None,
                mapped: int = 0) -> torch.Tensor:
        """
        Map normalised ``[B, 3, H, W]`` to tokens ``[B, 1 + rows*cols, C]``.

        :param maps: takes the attention logits of the last ``mapped`` blocks.
        """
        return self.above(self.embed(image), 0, maps, mapped)

    def below(self, image: torch.Tensor, depth: int) -> torch.Tensor:
        """Map normalised ``[B, 3, H, W]`` to the tokens that enter block ``depth``."""
        x = self.embed(image)
        for block in self.blocks[:depth]:
            x = block(x)
        return x

    def above(self, x: torch.Tensor, depth: int, maps: list[torch.Tensor] | None = None,
              mapped: int = 0) -> torch.Tensor:
        """Map tokens that enter block ``depth`` to those that leave the last one."""
        for i, block in enumerate(self.blocks[depth:], depth):
            x = block(x, maps if i >= len(self.blocks) - mapped else None)
        return x


def resample_position_embedding(embedding: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """
    Resample a square position embedding with class token to another grid.

    :param embedding: ``[1, 1 + g*g, C]``.
    :param grid: rows and columns of the new grid.
    :returns: ``[1, 1 + rows*cols, C]``.
    """
    cls_part, patch_part = embedding[:, :1].float(), embedding[:, 1:].float()
    side = int(round(patch_part.shape[1] ** 0.5))
    if side * side != patch_part.shape[1]:
        raise ValueError(f'{patch_part.shape[1]} position embeddings are not a square grid')
    patch_part = patch_part.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    patch_part = F.interpolate(patch_part, grid, mode='bicubic', antialias=True)
    return torch.cat([cls_part, patch_part.flatten(2).transpose(1, 2)], dim=1)


def load_timm_trunk(model: TernaryViT, state: dict[str, torch.Tensor]) -> None:
    """
    Load a float ViT trunk with timm's key names into the latent weights.

    LayerScale is folded into the projection before it: a scale per output
    channel is exactly what a ternary layer has anyway. A narrower feed-forward layer keeps
    the hidden units with the largest weights, into them times out of them.

    :param model: a network of the same width, heads and patch size, at most as deep.
    :param state: timm state dict (``blocks.N.attn.qkv.weight``, …).
    :raises KeyError: a tensor is missing; the message names it.
    :raises ValueError: a tensor has another shape; the message names it.
    """
    def read(key: str) -> torch.Tensor:
        if key not in state:
            raise KeyError(f'the trunk has no tensor {key!r}: is it a timm ViT?')
        return state[key].float()

    def copy(parameter: torch.Tensor, key: str, gamma_key: str | None = None,
             units: torch.Tensor | None = None, axis: int = 0) -> None:
        value = read(key)
        if gamma_key is not None and gamma_key in state:
            gamma = state[gamma_key].float()
            value = value * (gamma[:, None] if value.ndim == 2 else gamma)
        if key.endswith('patch_embed.proj.weight'):
            value = value.flatten(1)
        if units is not None:
            value = value.index_select(axis, units)
        if value.shape != parameter.shape:
            raise ValueError(
                f'{key!r} has shape {tuple(value.shape)}, the model needs '
                f'{tuple(parameter.shape)}')
        parameter.data.copy_(value)

    copy(model.patch_embed.proj.weight, 'patch_embed.proj.weight')
    copy(model.patch_embed.proj.bias, 'patch_embed.proj.bias')
    copy(model.cls_token, 'cls_token')
    model.pos_embed.data.copy_(
        resample_position_embedding(state['pos_embed'], model.config.grid))
    for i, block in enumerate(model.blocks):
        p = f'blocks.{i}.'
        units = _largest_units(read(f'{p}mlp.fc1.weight'), read(f'{p}mlp.fc2.weight'),
                               block.fc1.weight.shape[0])
        for part in ('weight', 'bias'):
            copy(getattr(block.norm1, part), f'{p}norm1.{part}')
            copy(getattr(block.norm2, part), f'{p}norm2.{part}')
            copy(getattr(block.attn.qkv, part), f'{p}attn.qkv.{part}')
            copy(getattr(block.attn.proj, part), f'{p}attn.proj.{part}', f'{p}ls1.gamma')
            copy(getattr(block.fc1, part), f'{p}mlp.fc1.{part}', units=units)
            copy(getattr(block.fc2, part), f'{p}mlp.fc2.{part}', f'{p}ls2.gamma',
                 units if part == 'weight' else None, axis=1)
    for layer in model.modules():
        if isinstance(layer, QuantizedLinear) and hasattr(layer, 'channel_scale'):
            layer.channel_scale.data = layer.weight.data.abs().mean(1, keepdim=True).clamp_min(
                1e-8)


def _largest_units(enter: torch.Tensor, leave: torch.Tensor, count: int) -> torch.Tensor | None:
    """Return which hidden units of a feed-forward pair are kept, in order; None for all."""
    if len(enter) <= count:
        return None
    size = enter.norm(dim=1) * leave.norm(dim=0)
    return size.argsort(descending=True)[:count].sort().values
