# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
A full-precision teacher: a network that turns an image into a map of tokens.

All take uint8 RGB ``[B, H, W, 3]`` and do their own normalisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn import functional as F


class TeacherError(RuntimeError):
    """A teacher that cannot be opened or does not yield a token map; the text names it."""


@dataclass
class TeacherOutput:
    """
    What a teacher says of a batch.

    :ivar patches: ``[B, rows*cols, patch_channels]``.
    :ivar grid: rows and columns.
    :ivar class_token: ``[B, class_channels]``, or None.
    :ivar attention: softmaxed, mean over the heads, of the last layers,
        ``[B, layers, 1 + rows*cols, 1 + rows*cols]``, or None.
    """

    patches: torch.Tensor
    grid: tuple[int, int]
    class_token: torch.Tensor | None = None
    attention: torch.Tensor | None = None


class Teacher(Protocol):
    """
    A teacher.

    :ivar patch_channels: of a patch token.
    :ivar class_channels: of the class token; 0 without one.
    :ivar attention_layers: whose attention it yields; 0 without any.
    """

    patch_channels: int
    class_channels: int
    attention_layers: int

    def __call__(self, image: torch.Tensor) -> TeacherOutput:
        """Return the tokens of uint8 RGB ``[B, H, W, 3]``."""


def soft_attention(logits: list[torch.Tensor], temperature: float = 1.0) -> torch.Tensor:
    """
    Return the mean over heads of the attention at a temperature.

    :param logits: of each layer, ``[B, heads, N, N]``.
    :param temperature: divides the logits.
    :returns: ``[B, layers, N, N]``.
    """
    return torch.stack([(x.float() / temperature).softmax(-1).mean(1) for x in logits], dim=1)


def align(patches: torch.Tensor, grid: tuple[int, int], wanted: tuple[int, int]
          ) -> torch.Tensor:
    """
    Resample a token map to another grid.

    :param patches: ``[B, rows*cols, C]``.
    :param grid: its rows and columns.
    :param wanted: rows and columns of the result.
    """
    if grid == wanted:
        return patches
    x = patches.transpose(1, 2).unflatten(2, grid)
    x = F.interpolate(x, wanted, mode='bilinear', antialias=True)
    return x.flatten(2).transpose(1, 2)
