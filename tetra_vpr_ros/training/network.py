# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Backbone and binary head together: image to real-valued embedding, then signs."""

from __future__ import annotations

from dataclasses import dataclass, field

from tetra_vpr_ros.training.vit import TernaryViT, ViTConfig
import torch
from torch import nn
from torch.nn import functional as F

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class _Sign(torch.autograd.Function):
    """Sign whose gradient passes where |x| <= 1 (TeTRA, section III-C)."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x > 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1)


def binarize(x: torch.Tensor) -> torch.Tensor:
    """Return the sign of ``x`` (+1 where positive, else -1) with straight-through gradient."""
    return _Sign.apply(x)


@dataclass(frozen=True)
class NetworkConfig:
    """Backbone, head and the auxiliary width that distillation regresses."""

    vit: ViTConfig = field(default_factory=ViTConfig)
    cells: int = 4
    bits: int = 2048
    teacher_dims: int = 256

    def __post_init__(self) -> None:
        """Check that the bits divide over the cells, in whole bytes."""
        if self.bits % (8 * self.cells**2):
            raise ValueError(
                f'bits {self.bits} do not divide over {self.cells}x{self.cells} cells in bytes')


class PlaceNetwork(nn.Module):
    """
    Ternary ViT with a spatial grid head.

    Patch tokens are normalised, averaged over a coarse grid and projected cell
    by cell; where the picture shows what stays part of the descriptor.
    """

    def __init__(self, config: NetworkConfig) -> None:
        """Create backbone and heads with random weights."""
        super().__init__()
        self.config = config
        width = config.vit.width
        self.backbone = TernaryViT(config.vit)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.project = nn.Linear(width, config.bits // config.cells**2, bias=False)
        self.threshold = nn.Parameter(torch.zeros(config.cells**2, self.project.out_features))
        self.to_teacher = nn.Linear(width, config.teacher_dims)  # dropped at export
        self.register_buffer('pool', grid_pooling(config.vit.grid, config.cells), False)
        self.register_buffer('mean', 255 * torch.tensor(IMAGENET_MEAN).reshape(1, 3, 1, 1), False)
        self.register_buffer('std', 255 * torch.tensor(IMAGENET_STD).reshape(1, 3, 1, 1), False)

    def normalise(self, image: torch.Tensor) -> torch.Tensor:
        """Map uint8 RGB ``[B, H, W, 3]`` to normalised ``[B, 3, H, W]``."""
        return (image.permute(0, 3, 1, 2).float() - self.mean) / self.std

    def tokens(self, image: torch.Tensor) -> torch.Tensor:
        """Map uint8 RGB ``[B, H, W, 3]`` to normalised patch tokens ``[B, grid*grid, C]``."""
        return self.norm(self.backbone(self.normalise(image))[:, 1:])

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map patch tokens to the real-valued embedding ``[B, bits]``."""
        cells = self.pool @ tokens  # (B, cells, C)
        return (self.project(cells) + self.threshold).flatten(1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map uint8 RGB ``[B, H, W, 3]`` to the embedding ``[B, bits]``."""
        return self.embed(self.tokens(image))


def grid_pooling(grid: int, cells: int) -> torch.Tensor:
    """Return the matrix ``[cells*cells, grid*grid]`` that averages tokens into cells."""
    eye = torch.eye(grid * grid).reshape(grid * grid, 1, grid, grid)
    return F.adaptive_avg_pool2d(eye, cells).reshape(grid * grid, cells * cells).T.contiguous()
