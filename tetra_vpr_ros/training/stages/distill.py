# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Stage 1: progressive distillation from a full-precision teacher, without labels.

The student sees a picture in changed light, the teacher saw it clean.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.data.pool import times_shown
from tetra_vpr_ros.training.loop.loop import Loop
from tetra_vpr_ros.training.loop.recipe import hold_to_recipe
from tetra_vpr_ros.training.loop.run_config import RunConfig
from tetra_vpr_ros.training.loop.validation import Validation
from tetra_vpr_ros.training.loop.workers import Workers
from tetra_vpr_ros.training.network.aggregation import GridHead
from tetra_vpr_ros.training.network.device import device
from tetra_vpr_ros.training.network.place_network import network_entry, PlaceNetwork
from tetra_vpr_ros.training.network.ternary import set_ternary_factor
from tetra_vpr_ros.training.stages.distill_config import DistillConfig
from tetra_vpr_ros.training.stages.distillation_loss import DistillationLoss, DistillHeads
from tetra_vpr_ros.training.stages.start import start_network, StartConfig
from tetra_vpr_ros.training.stages.teacher_source import DistillBatch, TeacherSource
from tetra_vpr_ros.training.teachers.targets import (
    DescriptorTarget, fit_grid_head, fit_linear, fit_target, ridge_regression)
from tetra_vpr_ros.training.teachers.teacher import align
from tetra_vpr_ros.training.teachers.token_target import fit_token_target, TokenTarget
import torch


def distill(config: RunConfig, stage: DistillConfig) -> PlaceNetwork:
    """
    Run stage 1, or continue it.

    :param config: of the run.
    :param stage: of the stage.
    :raises ConfigError: keys contradict each other or the files.
    :raises FloatingPointError: the loss is not finite; step and images are named.
    """
    workers = Workers.join()
    if stage.losses.descriptor and not stage.cache:
        raise ConfigError('distill.losses.descriptor needs distill.cache')
    size = config.network.vit.input_size
    validation = Validation.of(config.validation, size)
    source = TeacherSource(stage, workers)
    if stage.losses.attention:
        if not source.has_attention:
            raise ConfigError(
                'distill.losses.attention needs a teacher with attention: set '
                'distill.teacher.attention_layers, or the weight to 0')
        if source.grid != config.network.vit.grid:
            raise ConfigError(
                f'distill.losses.attention needs equal grids, the teacher has {source.grid}, '
                f'the student {config.network.vit.grid}: mend distill.teacher.image_size')
    held = config.validation.held_out()
    held_out = np.array([held.holds(image) for image in source.images])
    rows = np.repeat(np.arange(len(source.images)),
                     times_shown(source.images, stage.images, stage.repeat)
                     * (source.valid & ~held_out))
    if len(rows) < stage.optimizer.batch:
        raise ConfigError(f'distill.images: {len(rows)} images are left to train on, fewer '
                          f'than a batch of {stage.optimizer.batch}')
    target = (fit_target(source.cache, rows, config.network.aggregation, seed=config.seed)
              if source.cache is not None and stage.losses.descriptor else None)
    token_target = None
    if stage.losses.tokens:
        if source.cache is None or not config.network.token_bits:
            raise ConfigError('distill.losses.tokens needs distill.cache and '
                              'network.token_bits')
        token_target = fit_token_target(source.cache, rows, config.network.token_bits,
                                        stage.token_whitening, config.seed)
    per_epoch = len(rows) // stage.optimizer.batch
    steps = stage.optimizer.steps or round(stage.optimizer.epochs * per_epoch)

    torch.manual_seed(config.seed)
    heads = DistillHeads(config.network.vit.width, source.channels, source.class_channels)
    resuming = (Path(config.run) / 'distill.pt').exists()
    hold_to_recipe(Path(config.run), 'distill', {**config.recipe(), **asdict(stage)}, resuming)
    if resuming:
        network = PlaceNetwork(config.network)
    else:
        network = _initialise(config, stage.start, source, rows, heads, target, token_target)
    if token_target is not None:
        network.token_head.requires_grad_(True)
    network, heads = network.to(device()), heads.to(device())
    loop: Loop[DistillBatch] = Loop(
        Path(config.run), 'distill', stage.optimizer, steps,
        {'network': network, 'heads': heads}, {'config': network_entry(config.network)})
    loop.resume()
    loss = DistillationLoss(stage, network, heads, source.grid,
                            target.to(device()) if target else None,
                            token_target.to(device()) if token_target else None)

    def make(step: int, part: int, parts: int) -> DistillBatch:
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng((config.seed, epoch)).permutation(rows)
        batch = stage.optimizer.batch
        picks = order[place * batch:(place + 1) * batch]
        keys = np.stack([np.full(batch, config.seed), np.full(batch, step), np.arange(batch)], 1)
        mine = slice(part, None, parts)
        return source.batch(picks[mine], keys[mine], size, stage.clean_share)

    loop.train(make, loss, (lambda: validation(network)) if validation else None)
    if not source.valid.all():
        print(f'{int((~source.valid).sum())} of {len(source.names)} images did not decode '
              'and were skipped')
    set_ternary_factor(network, 1.0)
    return network


def _initialise(config: RunConfig, start: StartConfig, source: TeacherSource, rows: np.ndarray,
                heads: DistillHeads, target: DescriptorTarget | None,
                token_target: TokenTarget | None) -> PlaceNetwork:
    """Build the student and set its heads by regression."""
    size = config.network.vit.input_size
    rng = np.random.default_rng(config.seed)

    def sample(count: int) -> DistillBatch:
        picks = rng.choice(rows, min(count, len(rows)), replace=False)
        keys = np.stack([np.full(len(picks), config.seed), np.arange(len(picks))], 1)
        return source.batch(picks, keys, size, 0.5)

    images = sample(start.calibration).images if start.trunk else None
    network = start_network(start, config.network, config.seed, images, new_head=True)
    if start.fit_head and (start.trunk or start.model):
        batch = sample(4 * start.calibration)
        with torch.no_grad():
            tokens = torch.cat([network.tokens(part) for part in batch.images.split(16)])
            aligned = align(batch.patches, source.grid, config.network.vit.grid)
            fit_linear(heads.to_patch, tokens[:, 1:].flatten(0, 1), aligned.flatten(0, 1))
            if target is not None and isinstance(network.aggregation, GridHead):
                fit_grid_head(network.aggregation, tokens, target(batch.patches))
            if token_target is not None:
                patches = tokens[:, 1:] - tokens[:, 1:].mean(1, keepdim=True)
                weight, _ = ridge_regression(patches.flatten(0, 1),
                                             token_target(aligned).flatten(0, 1))
                network.token_head.weight.copy_(weight)
    return network
