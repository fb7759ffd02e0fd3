# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The first stages of a ResNet50 (arXiv 1512.03385)."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from tetra_vpr_ros.training.teachers.teacher import TeacherError, TeacherOutput
import torch
from torch import nn
from torch.nn import functional as F


class _Bottleneck(nn.Module):
    """ResNet bottleneck with the stride in its first 1x1 convolution (Keras, v1)."""

    def __init__(self, inputs: int, width: int, stride: int, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = nn.Sequential(
            nn.Conv2d(inputs, 4 * width, 1, stride, bias=False),
            nn.BatchNorm2d(4 * width)) if project else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet50Trunk(nn.Module):
    """
    ResNet50 up to stage 4 (torchvision's ``layer3``), ImageNet weights of Keras.

    Stride 16, 1024 channels, no class token and no attention.
    """

    patch_channels = 1024
    class_channels = 0
    attention_layers = 0

    def __init__(self) -> None:
        """Create the layers; the weights come from `load`."""
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = self._stage(64, 64, 3, 1)
        self.layer2 = self._stage(256, 128, 4, 2)
        self.layer3 = self._stage(512, 256, 6, 2)
        self.register_buffer(
            'mean', torch.tensor([103.939, 116.779, 123.68]).reshape(1, 3, 1, 1), False)

    @staticmethod
    def _stage(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
        layers = [_Bottleneck(inputs, width, stride, True)]
        layers += [_Bottleneck(4 * width, width, 1, False) for _ in range(blocks - 1)]
        return nn.Sequential(*layers)

    @classmethod
    def load(cls, path: Path | str) -> ResNet50Trunk:
        """Read the trunk from a safetensors file, ready for inference."""
        trunk = cls()
        try:
            state = {key: value.float() for key, value in load_file(str(path)).items()}
        except (OSError, SafetensorError) as error:
            raise TeacherError(f'teacher {path} cannot be read: {error}') from error
        missing, unexpected = trunk.load_state_dict(state, strict=False)
        missing = [key for key in missing if not key.endswith('num_batches_tracked')]
        if missing or unexpected:
            raise ValueError(
                f'{path} is not a ResNet50 trunk: missing {missing[:3]}, '
                f'unexpected {unexpected[:3]}')
        return trunk.eval().requires_grad_(False)

    def forward(self, image: torch.Tensor) -> TeacherOutput:
        """Return the stage-4 feature map of uint8 RGB ``[B, H, W, 3]``."""
        x = image.permute(0, 3, 1, 2).flip(1).to(self.conv1.weight.dtype) - self.mean
        x = F.relu(self.bn1(self.conv1(x)))
        # Keras pads the pooling with zeros, which after a ReLU equals PyTorch's -inf padding.
        x = F.max_pool2d(x, 3, 2, 1)
        x = self.layer3(self.layer2(self.layer1(x)))
        return TeacherOutput(x.flatten(2).transpose(1, 2), tuple(x.shape[2:]))
