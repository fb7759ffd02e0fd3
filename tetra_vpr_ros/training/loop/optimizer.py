# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""AdamW, and how a run goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tetra_vpr_ros.training.config_keys import Count, Natural, NotNegative, Positive, Share
import torch
from torch import nn


@dataclass(frozen=True)
class OptimizerConfig:
    """
    AdamW, and how a run goes.

    :ivar learning_rate: of weights and biases.
    :ivar scale_learning_rate: of learned ternary scales.
    :ivar steps: updates of the weights; 0 follows from the epochs.
    :ivar epochs: passes over the images, where steps is 0.
    :ivar batch: images of an update, over all processes; in fine-tuning, places.
    :ivar accumulate: parts that a batch is cut into, one after another.
    :ivar warmup: updates.
    :ivar schedule: of the learning rate: ``constant``, ``cosine``, or ``linear``
        (constant, then falling to zero over the share ``decay`` at the end).
    :ivar validate_every: steps; 0 validates at the end only.
    :ivar bf16: compute in bfloat16 where that is safe and the machine has it.
    :ivar torch_compile: compile the network, which pays off after some minutes.
    """

    learning_rate: NotNegative = 8e-5
    scale_learning_rate: NotNegative = 1e-5
    weight_decay: NotNegative = 0.01
    beta2: Share = 0.98
    clip: Positive = 1.0
    steps: Natural = 0
    epochs: NotNegative = 1.0
    batch: Count = 16
    accumulate: Count = 1
    warmup: Natural = 50
    schedule: Literal['constant', 'linear', 'cosine'] = 'linear'
    decay: Share = 0.5
    bf16: bool = True
    torch_compile: bool = False
    save_every: Count = 50
    validate_every: Natural = 500
    workers: Count = 1


def adamw(named: Sequence[tuple[str, nn.Parameter]], config: OptimizerConfig
          ) -> torch.optim.AdamW:
    """
    Create the optimiser: only matrices decay, and ternary scales have a rate of their own.

    :param named: trained parameters.
    :param config: rates and decay.
    """
    scales = [p for name, p in named if name.endswith('channel_scale')]
    matrices = [p for name, p in named if p.ndim >= 2 and not name.endswith('channel_scale')]
    vectors = [p for _, p in named if p.ndim < 2]
    rate = config.learning_rate
    return torch.optim.AdamW([
        {'params': matrices, 'lr': rate, 'weight_decay': config.weight_decay},
        {'params': vectors, 'lr': rate, 'weight_decay': 0.0},
        {'params': scales, 'lr': config.scale_learning_rate, 'weight_decay': 0.0}],
        betas=(0.9, config.beta2))
