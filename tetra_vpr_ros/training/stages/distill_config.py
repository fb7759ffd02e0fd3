# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What stage 1 learns from, and which terms it weighs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tetra_vpr_ros.training.config_keys import Count, NotNegative, Share
from tetra_vpr_ros.training.data.held_out import HeldOut
from tetra_vpr_ros.training.data.pool import find_pool, PoolImage, times_shown
from tetra_vpr_ros.training.loop.optimizer import OptimizerConfig
from tetra_vpr_ros.training.stages.start import StartConfig
from tetra_vpr_ros.training.teachers.open_teacher import TeacherConfig


@dataclass(frozen=True)
class DistillLosses:
    """
    Weights of the terms of stage 1.

    :ivar class_token: TeTRA's class-token term (1 - cosine).
    :ivar patch: patch tokens (1 - cosine + 0.1 MSE), spatially aligned.
    :ivar attention: cross entropy of softened attention maps.
    :ivar descriptor: our own: the embedding regresses the teacher's tokens on
        the same grid, half whitened and rotated; needs the grid aggregation.
    :ivar tokens: our own: the codes of the patch tokens (``network.token_bits``) regress
        the teacher's, real-valued and by their signs.
    """

    class_token: NotNegative = 1.0
    patch: NotNegative = 0.3
    attention: NotNegative = 0.05
    descriptor: NotNegative = 0.0
    tokens: NotNegative = 0.0


@dataclass(frozen=True)
class DistillConfig:
    """
    Stage 1: distillation without labels.

    :ivar images: folders of images, searched below; ``folder: n`` takes every n-th.
    :ivar repeat: how often an epoch shows the images of a folder of those, where not once.
    :ivar q_schedule: of the progressive factor over the run: ``sigmoid``
        (``sigmoid(16 t - 6)``), ``linear``, ``cosine`` or ``none`` (1 throughout).
    :ivar clean_share: of student pictures whose light is not changed.
    :ivar token_whitening: of the teacher's token axes: 0 keeps their variances, 1 makes them
        all equal.
    :ivar cache: folder of the teacher's outputs; empty computes them as they are needed.
    """

    images: dict[str, Count] = field(default_factory=dict)
    repeat: dict[str, Count] = field(default_factory=dict)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    cache: str = ''
    start: StartConfig = field(default_factory=StartConfig)
    losses: DistillLosses = field(default_factory=DistillLosses)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    q_schedule: Literal['sigmoid', 'linear', 'cosine', 'none'] = 'sigmoid'
    clean_share: Share = 0.2
    token_whitening: Share = 0.5

    def pictures(self, held_out: HeldOut) -> list[PoolImage]:
        """Return what an epoch shows, in the folders' order; those of ``repeat`` several times."""
        pool = held_out.others(find_pool(self.images))
        times = times_shown(pool, self.images, self.repeat)
        return [image for image, count in zip(pool, times) for _ in range(count)]
