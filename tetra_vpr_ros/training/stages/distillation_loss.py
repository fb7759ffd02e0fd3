# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The terms of stage 1.

As in TeTRA, section III-B: class token, patch tokens (spatially aligned where
the teacher's grid is another), softened attention of the last layers; and one of
ours, the teacher's descriptor, real-valued and by its signs.
"""

from __future__ import annotations

from collections.abc import Callable

from tetra_vpr_ros.training.loop.loop import Losses
from tetra_vpr_ros.training.loop.schedules import progressive_factor
from tetra_vpr_ros.training.network.device import device, has_bfloat16
from tetra_vpr_ros.training.network.place_network import binarize, PlaceNetwork
from tetra_vpr_ros.training.network.ternary import set_ternary_factor
from tetra_vpr_ros.training.stages.distill_config import DistillConfig
from tetra_vpr_ros.training.stages.teacher_source import DistillBatch
from tetra_vpr_ros.training.teachers.targets import DescriptorTarget
from tetra_vpr_ros.training.teachers.teacher import align, soft_attention
from tetra_vpr_ros.training.teachers.token_target import TokenTarget
import torch
from torch import nn
from torch.nn import functional as F


class DistillHeads(nn.Module):
    """Projections from the student's tokens to the teacher's; dropped afterwards."""

    def __init__(self, width: int, channels: int, class_channels: int) -> None:
        """Create the two projections."""
        super().__init__()
        self.to_patch = nn.Linear(width, channels)
        # A convolutional teacher has no class token: the mean of its map stands for it.
        self.to_class = nn.Linear(width, class_channels or channels)


class DistillationLoss:
    """
    The terms of stage 1.

    :param config: their weights.
    :param network: the student.
    :param heads: its projections to the teacher.
    :param grid: of the teacher's tokens.
    :param target: the teacher's descriptor; None leaves that term out.
    :param token_target: the codes of its tokens; None leaves that term out.
    """

    def __init__(self, config: DistillConfig, network: PlaceNetwork, heads: DistillHeads,
                 grid: tuple[int, int], target: DescriptorTarget | None,
                 token_target: TokenTarget | None = None) -> None:
        """Keep what the terms need."""
        self.config, self.network, self.heads = config, network, heads
        self.grid, self.target, self.token_target = grid, target, token_target
        self._bf16 = config.optimizer.bf16 and has_bfloat16(device())
        self.layers = config.teacher.attention_layers if config.losses.attention else 0
        self._tokens = (torch.compile(network.tokens) if config.optimizer.torch_compile
                        else network.tokens)

    def __call__(self, batch: DistillBatch, share: float) -> Losses:
        """Compute the terms at a share 0..1 of the run."""
        weights, where = self.config.losses, device()
        q = progressive_factor(share, self.config.q_schedule)
        set_ternary_factor(self.network.backbone, q)
        maps: list[torch.Tensor] | None = [] if self.layers else None
        with torch.autocast(where.type, torch.bfloat16, enabled=self._bf16):
            images = batch.images.to(where, non_blocking=True)
            tokens = (self._tokens(images) if maps is None
                      else self._tokens(images, maps, self.layers))
        tokens = tokens.float()
        patches = batch.patches.to(where)
        terms: Losses = {}
        if weights.class_token:
            wanted = (patches.mean(1) if batch.class_token is None
                      else batch.class_token.to(where))
            regressed = self.heads.to_class(tokens[:, 0])
            terms['class'] = (1 - F.cosine_similarity(regressed, wanted, dim=-1)).mean()
        if weights.patch or self.token_target is not None:
            aligned = align(patches, self.grid, self.network.config.vit.grid)
        if weights.patch:
            regressed = self.heads.to_patch(tokens[:, 1:])
            cosine = (1 - F.cosine_similarity(regressed, aligned, dim=-1)).mean()
            terms['patch'] = cosine + 0.1 * F.mse_loss(regressed, aligned)
        if maps is not None and batch.attention is not None:
            student = soft_attention(maps, self.config.teacher.temperature)
            wanted = batch.attention.to(where).clamp_min(1e-12)
            terms['attention'] = (wanted * (wanted.log() - student.clamp_min(1e-12).log())
                                  ).sum(-1).mean()
        if self.target is not None:
            wanted = self.target(patches)
            terms['float'], terms['binary'], terms['descriptor'] = _both(
                self.network.aggregation(tokens), wanted, q, self._distance)
        if self.token_target is not None:
            *_, terms['tokens'] = _both(self.network.token_head(tokens),
                                        self.token_target(aligned), q, _apart)
        total = sum(getattr(weights, name) * terms[key]
                    for name, key in (('class_token', 'class'), ('patch', 'patch'),
                                      ('attention', 'attention'), ('descriptor', 'descriptor'),
                                      ('tokens', 'tokens'))
                    if key in terms)
        assert isinstance(total, torch.Tensor)
        return {**terms, 'total': total}

    def _distance(self, x: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        whole = _apart(x, wanted)
        config = self.network.config.aggregation
        if config.kind != 'grid':
            return whole
        cells = (config.rows * config.cols, -1)
        by_cell = F.cosine_similarity(x.unflatten(1, cells), wanted.unflatten(1, cells), dim=-1)
        return 0.5 * whole + 0.5 * (1 - by_cell).mean()


def _both(x: torch.Tensor, wanted: torch.Tensor, q: float,
          distance: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
          ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return how far numbers, and their signs, are from what is wanted, and both weighed by q."""
    real = distance(x, wanted) + 0.02 * F.mse_loss(x, wanted)
    binary = distance(binarize(x), wanted)
    return real, binary, (1 - 0.5 * q) * real + q * binary


def _apart(x: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the mean of ``1 - cosine``."""
    return (1 - F.cosine_similarity(x, wanted, dim=-1)).mean()
