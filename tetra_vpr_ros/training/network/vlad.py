# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Vectors of locally aggregated descriptors: what a picture shows, wherever in it that is.

After VLAD (Jegou et al., CVPR 2010), with the soft assignment of NetVLAD (Arandjelovic et al.,
arXiv 1511.07247).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tetra_vpr_ros.training.network.ternary import make_linear
import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from tetra_vpr_ros.training.network.aggregation import AggregationConfig


class VladHead(nn.Module):
    """
    Tell for each of some visual words by how much a picture's tokens differ from it.

    Tokens are taken about the mean of their picture: what all have in common is its light.

    :param config: ``clusters`` are the words, ``cluster_dims`` the channels that they have.
    :param width: of a token.
    :param grid: of tokens; where in the picture they lie is not told.
    """

    def __init__(self, config: AggregationConfig, width: int, grid: tuple[int, int]) -> None:
        """Create words at random."""
        super().__init__()
        words, channels = config.clusters, config.cluster_dims
        self.reduce = nn.Parameter(torch.randn(channels, width) * width**-0.5)
        self.words = nn.Parameter(torch.randn(words, channels))
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        self.project = make_linear(words * channels, config.bits, config.precision, 'learned')
        nn.init.normal_(self.project.weight, std=channels**-0.5)

    def residuals(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens ``[B, 1 + rows*cols, C]`` to ``[B, words * channels]``, a unit for each."""
        x = self.reduced(tokens)
        # Nearest words by softmax of -sharpness/2 |x - w|^2, of which |x|^2 cancels.
        near = torch.softmax(F.linear(x, self.sharpness * self.words,
                                      -self.sharpness / 2 * (self.words ** 2).sum(1)), dim=2)
        apart = near.mT @ x - near.sum(1).unsqueeze(2) * self.words
        return F.normalize(apart, dim=2).flatten(1)

    def reduced(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens ``[B, 1 + rows*cols, C]`` to ``[B, rows*cols, channels]``."""
        x = tokens[:, 1:] @ self.reduce.T
        return x - x.mean(1, keepdim=True)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens ``[B, 1 + rows*cols, C]`` to ``[B, bits]``."""
        return self.project(self.residuals(tokens))
