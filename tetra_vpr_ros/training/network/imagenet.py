# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The normalisation that networks trained on ImageNet expect; its only home."""

from __future__ import annotations

import torch
from torch import nn

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class ImageNetNormalisation(nn.Module):
    """
    Pixels about zero.

    :ivar mean: of a pixel 0..255, ``[1, 3, 1, 1]``; not a part of checkpoints, as `std`.
    """

    def __init__(self) -> None:
        """Keep mean and deviation where the module is."""
        super().__init__()
        self.register_buffer('mean', 255 * torch.tensor(MEAN).reshape(1, 3, 1, 1), False)
        self.register_buffer('std', 255 * torch.tensor(STD).reshape(1, 3, 1, 1), False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map uint8 RGB ``[B, H, W, 3]`` to normalised ``[B, 3, H, W]``."""
        return (image.permute(0, 3, 1, 2).float() - self.mean) / self.std
