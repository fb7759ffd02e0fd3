# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Several teachers at once: the tokens of all side by side."""

from __future__ import annotations

from collections.abc import Sequence

from tetra_vpr_ros.training.teachers.teacher import align, Teacher, TeacherOutput
import torch
from torch import nn
from torch.nn import functional as F


class SeveralTeachers(nn.Module):
    """
    Tokens of several teachers on the grid of the first, whose class token and attention count.

    Trunks answer in numbers of different size: each one's tokens are normalised to unit
    variance and weighed, so that all have their say.

    :param teachers: that all see the same picture.
    :param weights: of each.
    """

    def __init__(self, teachers: Sequence[Teacher], weights: Sequence[float]) -> None:
        """Keep the teachers."""
        super().__init__()
        self.teachers = nn.ModuleList(teachers)  # type: ignore[arg-type]
        self.weights = tuple(weights)
        first = teachers[0]
        self.patch_channels = sum(teacher.patch_channels for teacher in teachers)
        self.class_channels, self.attention_layers = first.class_channels, first.attention_layers

    def forward(self, image: torch.Tensor) -> TeacherOutput:
        """Return the tokens of uint8 RGB ``[B, H, W, 3]``."""
        outputs = [teacher(image) for teacher in self.teachers]
        first = outputs[0]
        tokens = [weight * F.layer_norm(align(out.patches.float(), out.grid, first.grid),
                                        (out.patches.shape[2],))
                  for out, weight in zip(outputs, self.weights)]
        return TeacherOutput(torch.cat(tokens, 2), first.grid, first.class_token,
                             first.attention)
