# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What structural knowledge is learned from, and how it is distilled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tetra_vpr_ros.training.config_keys import Count, NotNegative
from tetra_vpr_ros.training.loop.optimizer import OptimizerConfig
from tetra_vpr_ros.training.structure.branch import BranchConfig
from tetra_vpr_ros.training.structure.labelled_sets import LabelledSetConfig


@dataclass(frozen=True)
class StructureConfig:
    """
    Structural knowledge from label maps (StructVPR), distilled in stage 2.

    :ivar sets: data sets with label maps.
    :ivar branch: shape of the structural branch.
    :ivar optimizer: of the branch.
    :ivar right: largest rank of the best positive that counts as right.
    :ivar weight: of the distillation in stage 2; 0 leaves it out.
    :ivar loss: ``feature`` (L2 of unit embeddings, after a projection that is thrown away),
        ``relational`` (margins between best positive and hardest negative) or ``tokens``
        (how patch tokens of the same label are related to each other).
    :ivar control: ``true``, or what it must win against: ``shuffled`` (label maps of other
        pictures) or ``random`` (the same weights on other pictures).
    """

    sets: list[LabelledSetConfig] = field(default_factory=list)
    branch: BranchConfig = field(default_factory=BranchConfig)
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-3, batch=24, steps=400,
                                                save_every=100))
    right: Count = 5
    weight: NotNegative = 0.0
    loss: Literal['feature', 'relational', 'tokens'] = 'relational'
    control: Literal['true', 'shuffled', 'random'] = 'true'
