# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The structural branch: a small ternary transformer that sees label maps only."""

from __future__ import annotations

from dataclasses import dataclass

from tetra_vpr_ros.training.config_keys import Count
from tetra_vpr_ros.training.data.label_maps import GROUPS
from tetra_vpr_ros.training.network.aggregation import AggregationConfig, GridHead
from tetra_vpr_ros.training.network.ternary import Precision
from tetra_vpr_ros.training.network.vit import Block, ViTConfig
import torch
from torch import nn

_PATCH = 2


@dataclass(frozen=True)
class BranchConfig:
    """
    Shape of the branch.

    :ivar side: cells of the encoded label map in both directions; even.
    :ivar width: channels of a token.
    :ivar depth: blocks.
    :ivar heads: of the attention.
    :ivar precision: of the blocks.
    :ivar rows: of the grid that the tokens are averaged on.
    :ivar cols: of that grid.
    :ivar dims: of the embedding; a multiple of eight times the cells.
    """

    side: Count = 28
    width: Count = 96
    depth: Count = 2
    heads: Count = 3
    precision: Precision = 'ternary'
    rows: Count = 4
    cols: Count = 4
    dims: Count = 512


class StructureBranch(nn.Module):
    """
    Encoded label maps to embeddings.

    :param config: shape of the network.
    """

    def __init__(self, config: BranchConfig) -> None:
        """Create the network with random weights."""
        super().__init__()
        self.config = config
        tokens = config.side // _PATCH
        shape = ViTConfig(width=config.width, depth=config.depth, heads=config.heads,
                          image_size=tokens * 14, patch_size=14, scale_mode='channel')
        self.embed = nn.Linear(len(GROUPS) * _PATCH**2, config.width)
        self.position = nn.Parameter(torch.zeros(1, tokens**2, config.width))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.blocks = nn.Sequential(*(Block(shape, config.precision)
                                      for _ in range(config.depth)))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.head = GridHead(AggregationConfig(rows=config.rows, cols=config.cols,
                                               bits=config.dims), config.width, (tokens, tokens))

    @property
    def grid(self) -> tuple[int, int]:
        """Return the rows and columns of its tokens."""
        return self.config.side // _PATCH, self.config.side // _PATCH

    def tokens(self, encoded: torch.Tensor) -> torch.Tensor:
        """Map label maps ``[B, groups, side, side]`` to tokens ``[B, rows*columns, width]``."""
        batch, groups, side, _ = encoded.shape
        cells = side // _PATCH
        x = encoded.reshape(batch, groups, cells, _PATCH, cells, _PATCH)
        x = x.permute(0, 2, 4, 1, 3, 5).reshape(batch, cells**2, -1)
        return self.norm(self.blocks(self.embed(x) + self.position))

    def forward(self, encoded: torch.Tensor) -> torch.Tensor:
        """Map label maps ``[B, groups, side, side]`` to ``[B, dims]``."""
        x = self.tokens(encoded)
        # The head expects a class token in front, and does not look at it.
        return self.head(torch.cat([x[:, :1], x], dim=1))
