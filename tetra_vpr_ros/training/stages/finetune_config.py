# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What stage 2 learns from, and which terms it weighs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tetra_vpr_ros.training.config_keys import Count, Natural, NotNegative, Positive, Share
from tetra_vpr_ros.training.data.place_sets import PlaceSetConfig
from tetra_vpr_ros.training.loop.optimizer import OptimizerConfig
from tetra_vpr_ros.training.stages.start import StartConfig


@dataclass(frozen=True)
class FinetuneConfig:
    """
    Stage 2: place labels.

    :ivar places: data sets of places.
    :ivar start: where the weights come from; empty takes the run's own stage 1.
    :ivar views: pictures of a place in a batch.
    :ivar q_schedule: weight of the binary loss: ``(1 - q) float + q binary``.
    :ivar freeze_blocks: leading blocks that do not change.
    :ivar cache: folder for what the frozen blocks say of ``cache_views`` views of each picture:
        each is computed once, and later steps begin above them. Empty keeps nothing.
    :ivar cache_views: kept of a picture, 0.15 MB each with ViT-S at 196 pixels.
    :ivar geometric: strength of the synthetic change of viewpoint, 0..1 of the side.
    :ivar clean_share: of pictures whose light is not changed.
    :ivar keep: weight of a term that keeps the embedding near the start's, and the codes of the
        patch tokens where they are trained.
    :ivar tokens: weight of the second look's own loss, see `token_score_loss`.
    :ivar points: weight of `token_point_loss`: patches that show the same point agree. Two cuts
        of one picture tell, and two pictures of a set with ``depth``.
    :ivar token_temperature: of both.
    :ivar one_set: draw all places of a batch from one data set: they are harder to tell
        apart than those of several.
    :ivar alike: share of batches whose places look like each other to the start: hard negatives,
        all from one data set. Places drawn at random are told apart at once.
    """

    places: list[PlaceSetConfig] = field(default_factory=list)
    start: StartConfig = field(default_factory=StartConfig)
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=2e-5, batch=12))
    views: Count = 3
    q_schedule: Literal['sigmoid', 'linear', 'cosine', 'none'] = 'sigmoid'
    freeze_blocks: Natural = 0
    cache: str = ''
    cache_views: Count = 4
    geometric: Share = 0.15
    clean_share: Share = 0.3
    keep: NotNegative = 0.0
    tokens: NotNegative = 0.0
    points: NotNegative = 0.0
    token_temperature: Positive = 0.05
    one_set: bool = False
    alike: Share = 0.0
