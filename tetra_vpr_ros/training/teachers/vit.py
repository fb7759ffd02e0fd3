# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Any float ViT whose weights have timm's key names."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from tetra_vpr_ros.training.network.imagenet import ImageNetNormalisation
from tetra_vpr_ros.training.network.ternary import set_ternary_factor
from tetra_vpr_ros.training.network.vit import load_timm_trunk, TernaryViT, ViTConfig
from tetra_vpr_ros.training.teachers.teacher import soft_attention, TeacherOutput
import torch
from torch import nn
from torch.nn import functional as F


class ViTTrunk(nn.Module):
    """A float ViT with timm's key names, such as DINOv2's layout with LayerScale."""

    def __init__(self, path: Path, config: ViTConfig, attention_layers: int = 4,
                 temperature: float = 4.0) -> None:
        """
        Read the trunk.

        :param path: safetensors.
        :param config: shape; precisions do not matter, all is computed in float.
        :param attention_layers: whose attention is yielded.
        :param temperature: of that attention.
        """
        super().__init__()
        self.vit = TernaryViT(config)
        load_timm_trunk(self.vit, load_file(str(path)))
        set_ternary_factor(self.vit, 0.0)
        self.norm = nn.LayerNorm(config.width, eps=1e-6, elementwise_affine=False)
        self.patch_channels = self.class_channels = config.width
        self.attention_layers, self.temperature = attention_layers, temperature
        self.normalise = ImageNetNormalisation()

    def forward(self, image: torch.Tensor) -> TeacherOutput:
        """Return the last block's normalised tokens."""
        x = F.interpolate(self.normalise(image), self.vit.config.input_size, mode='bilinear',
                          antialias=True)
        maps: list[torch.Tensor] = []
        tokens = self.norm(self.vit(x, maps, self.attention_layers))
        attention = soft_attention(maps, self.temperature) if maps else None
        return TeacherOutput(tokens[:, 1:], self.vit.config.grid, tokens[:, 0], attention)
