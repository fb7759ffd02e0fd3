# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A plain Vision Transformer (arXiv 2010.11929) with ternary linear layers."""

from __future__ import annotations

from dataclasses import dataclass

from tetra_vpr_ros.training.ternary import ScaleMode, TernaryLinear
import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class ViTConfig:
    """Shape of the backbone."""

    image_size: int = 196
    patch_size: int = 14
    width: int = 384
    depth: int = 8
    heads: int = 6
    mlp_ratio: int = 4
    scale_mode: ScaleMode = 'learned'

    @property
    def grid(self) -> int:
        """Tokens along one side of the image."""
        return self.image_size // self.patch_size

    def __post_init__(self) -> None:
        """Check that the shape is possible."""
        if self.image_size % self.patch_size:
            raise ValueError(
                f'image_size {self.image_size} is not a multiple of '
                f'patch_size {self.patch_size}')
        if self.width % self.heads:
            raise ValueError(f'width {self.width} is not a multiple of heads {self.heads}')


class Attention(nn.Module):
    """Multi-head self-attention with ternary projections."""

    def __init__(self, config: ViTConfig) -> None:
        """Create the two projections."""
        super().__init__()
        self.heads = config.heads
        self.qkv = TernaryLinear(config.width, 3 * config.width, config.scale_mode)
        self.proj = TernaryLinear(config.width, config.width, config.scale_mode)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, N, C]`` to ``[B, N, C]``."""
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, N, head_dim)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: ViTConfig) -> None:
        """Create attention and the feed-forward pair."""
        super().__init__()
        hidden = config.mlp_ratio * config.width
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.fc1 = TernaryLinear(config.width, hidden, config.scale_mode)
        self.fc2 = TernaryLinear(hidden, config.width, config.scale_mode)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, N, C]`` to ``[B, N, C]``."""
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class TernaryViT(nn.Module):
    """
    Vision Transformer: image to class and patch tokens.

    :param config: shape of the network.
    """

    def __init__(self, config: ViTConfig) -> None:
        """Create the network with random weights."""
        super().__init__()
        self.config = config
        self.patch_embed = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.grid**2 + 1, config.width))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))

    def embed(self, image: torch.Tensor) -> torch.Tensor:
        """Turn normalised ``[B, 3, H, W]`` into the tokens that enter block 0."""
        x = self.patch_embed(image).flatten(2).transpose(1, 2)  # (B, grid*grid, C)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        return x + self.pos_embed

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map normalised ``[B, 3, H, W]`` to tokens ``[B, 1 + grid*grid, C]``."""
        x = self.embed(image)
        for block in self.blocks:
            x = block(x)
        return x


def resample_position_embedding(embedding: torch.Tensor, grid: int) -> torch.Tensor:
    """
    Resample a position embedding with class token to another grid.

    :param embedding: ``[1, 1 + g*g, C]``.
    :param grid: tokens along one side of the new grid.
    :returns: ``[1, 1 + grid*grid, C]``.
    """
    cls_part, patch_part = embedding[:, :1].float(), embedding[:, 1:].float()
    side = int(round(patch_part.shape[1] ** 0.5))
    if side * side != patch_part.shape[1]:
        raise ValueError(f'{patch_part.shape[1]} position embeddings are not a square grid')
    patch_part = patch_part.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    patch_part = F.interpolate(patch_part, (grid, grid), mode='bicubic', antialias=True)
    return torch.cat([cls_part, patch_part.flatten(2).transpose(1, 2)], dim=1)


def load_timm_trunk(model: TernaryViT, state: dict[str, torch.Tensor]) -> None:
    """
    Load a float ViT trunk with timm's key names into the latent weights.

    LayerScale is folded into the projection before it: a scale per output
    channel is exactly what a ternary layer has anyway.

    :param model: a network of the same width, heads and patch size, at most as deep.
    :param state: timm state dict (``blocks.N.attn.qkv.weight``, …).
    :raises KeyError: a tensor is missing; the message names it.
    :raises ValueError: a tensor has another shape; the message names it.
    """
    def copy(parameter: torch.Tensor, key: str, gamma_key: str | None = None) -> None:
        if key not in state:
            raise KeyError(f'the trunk has no tensor {key!r}: is it a timm ViT?')
        value = state[key].float()
        if gamma_key is not None and gamma_key in state:
            gamma = state[gamma_key].float()
            value = value * (gamma[:, None] if value.ndim == 2 else gamma)
        if value.shape != parameter.shape:
            raise ValueError(
                f'{key!r} has shape {tuple(value.shape)}, the model needs '
                f'{tuple(parameter.shape)}')
        parameter.data.copy_(value)

    copy(model.patch_embed.weight, 'patch_embed.proj.weight')
    copy(model.patch_embed.bias, 'patch_embed.proj.bias')
    copy(model.cls_token, 'cls_token')
    model.pos_embed.data.copy_(
        resample_position_embedding(state['pos_embed'], model.config.grid))
    for i, block in enumerate(model.blocks):
        p = f'blocks.{i}.'
        for part in ('weight', 'bias'):
            copy(getattr(block.norm1, part), f'{p}norm1.{part}')
            copy(getattr(block.norm2, part), f'{p}norm2.{part}')
            copy(getattr(block.attn.qkv, part), f'{p}attn.qkv.{part}')
            copy(getattr(block.attn.proj, part), f'{p}attn.proj.{part}', f'{p}ls1.gamma')
            copy(getattr(block.fc1, part), f'{p}mlp.fc1.{part}')
            copy(getattr(block.fc2, part), f'{p}mlp.fc2.{part}', f'{p}ls2.gamma')
