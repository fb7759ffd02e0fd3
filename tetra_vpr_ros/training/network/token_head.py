# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Patch tokens in few bits: what a second look compares."""

from __future__ import annotations

import torch
from torch import nn


class TokenHead(nn.Module):
    """
    Projects patch tokens, about the mean of their own picture; their signs are kept.

    What all patches of a picture have in common (its light, its season) says little about
    which part of the place each shows, and is taken out.

    :param width: of a token.
    :param bits: of what is kept of it, a multiple of 8.
    """

    def __init__(self, width: int, bits: int) -> None:
        """Create an unfitted head, which only stages that have a token loss train by steps."""
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(bits, width), requires_grad=False)

    @property
    def fitted(self) -> bool:
        """Tell whether it was fitted."""
        return bool(self.weight.any())

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map normalised tokens ``[B, 1 + rows*cols, C]`` to ``[B, rows*cols, bits]``."""
        x = tokens[:, 1:] @ self.weight.T
        return x - x.mean(1, keepdim=True)
