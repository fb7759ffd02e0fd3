# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Backbone and aggregation together: image to real-valued embedding, then signs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
import json
from typing import Any

from tetra_vpr_ros.training.config_keys import Natural
from tetra_vpr_ros.training.network.aggregation import AggregationConfig, AGGREGATIONS
from tetra_vpr_ros.training.network.imagenet import ImageNetNormalisation
from tetra_vpr_ros.training.network.token_head import TokenHead
from tetra_vpr_ros.training.network.vit import TernaryViT, ViTConfig
import torch
from torch import nn


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
    """
    What is trained and exported.

    :ivar token_bits: that are kept of each patch token for a second look; 0 for none.
    """

    vit: ViTConfig = field(default_factory=ViTConfig)
    aggregation: AggregationConfig = field(default_factory=AggregationConfig)
    token_bits: Natural = 0

    def __post_init__(self) -> None:
        """Check that tokens fill whole bytes."""
        if self.token_bits < 0 or self.token_bits % 8:
            raise ValueError(f'token_bits must be a multiple of 8, not {self.token_bits}')

    @property
    def bits(self) -> int:
        """Bits of the descriptor."""
        return self.aggregation.bits


def network_entry(config: NetworkConfig) -> dict[str, Any]:
    """Return a network's configuration as plain values, for a checkpoint or a model file."""
    return json.loads(json.dumps(asdict(config)))


class PlaceNetwork(nn.Module):
    """
    Ternary ViT with an aggregation, and a head for its patch tokens if that is wanted.

    :param config: shape of all.
    """

    def __init__(self, config: NetworkConfig) -> None:
        """Create all with random weights, the head of the tokens unfitted."""
        super().__init__()
        self.config = config
        self.backbone = TernaryViT(config.vit)
        self.norm = nn.LayerNorm(config.vit.width, eps=1e-6)
        self.aggregation = AGGREGATIONS[config.aggregation.kind](
            config.aggregation, config.vit.width, config.vit.grid)
        self.token_head = (TokenHead(config.vit.width, config.token_bits)
                           if config.token_bits else None)
        self.normalise = ImageNetNormalisation()

    def tokens(self, image: torch.Tensor, maps: list[torch.Tensor] | None = None,
               mapped: int = 0) -> torch.Tensor:
        """
        Map uint8 RGB ``[B, H, W, 3]`` to normalised tokens ``[B, 1 + rows*cols, C]``.

        :param maps: takes the attention logits of the last ``mapped`` blocks.
        """
        return self.norm(self.backbone(self.normalise(image), maps, mapped))

    def tokens_above(self, x: torch.Tensor, depth: int) -> torch.Tensor:
        """Map tokens that enter block ``depth`` to normalised tokens."""
        return self.norm(self.backbone.above(x, depth))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map uint8 RGB ``[B, H, W, 3]`` to the embedding ``[B, bits]``."""
        return self.aggregation(self.tokens(image))
