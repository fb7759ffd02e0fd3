# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Stage 1: progressive distillation from a full-precision teacher, without labels.

The student sees a picture in changed light, the teacher saw it clean. Terms
(TeTRA, section III-B): class token, patch tokens (spatially aligned where the
teacher's grid is another), softened attention of the last layers; and one of
ours, the teacher's descriptor, real-valued and by its signs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file
from tetra_vpr_ros.training.config import ConfigError, DistillConfig, StartConfig, TrainConfig
from tetra_vpr_ros.training.data.pool import find_pool, PoolImage, read_rgb
from tetra_vpr_ros.training.data.views import student_view
from tetra_vpr_ros.training.loop.checkpoint import load_network, network_entry
from tetra_vpr_ros.training.loop.loop import device, has_bfloat16, Loop, Losses, Workers
from tetra_vpr_ros.training.loop.schedules import progressive_factor
from tetra_vpr_ros.training.loop.validation import Validation
from tetra_vpr_ros.training.network.aggregation import GridHead
from tetra_vpr_ros.training.network.place_network import binarize, PlaceNetwork
from tetra_vpr_ros.training.network.rounding import round_network
from tetra_vpr_ros.training.network.ternary import set_ternary_factor
from tetra_vpr_ros.training.network.vit import load_timm_trunk
from tetra_vpr_ros.training.teachers.cache import (
    ask_teacher, build_cache, CacheSpec, image_view, TeacherCache)
from tetra_vpr_ros.training.teachers.targets import (
    DescriptorTarget, fit_grid_head, fit_linear, fit_target)
from tetra_vpr_ros.training.teachers.teachers import open_teacher, soft_attention, Teacher
import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class DistillBatch:
    """
    Student pictures and what the teacher says of them.

    :ivar names: of the images.
    :ivar images: uint8 ``[B, H, W, 3]``, in changed light.
    :ivar patches: ``[B, tokens, dims]``.
    :ivar class_token: ``[B, class_channels]``, or None.
    :ivar attention: ``[B, layers, n, n]``, or None.
    """

    names: list[str]
    images: torch.Tensor
    patches: torch.Tensor
    class_token: torch.Tensor | None
    attention: torch.Tensor | None


class Source:
    """
    The pool with the teacher's outputs, from a cache or asked as they are needed.

    :ivar names: of all images.
    :ivar valid: bool; False where a file did not decode.
    :ivar grid: rows and columns of the teacher's tokens.
    :ivar cache: the cache, or None.
    """

    def __init__(self, config: DistillConfig, workers: Workers) -> None:
        """Find the images and build or continue the cache."""
        teacher_config = config.teacher
        images = find_pool(config.images)
        self.spec = CacheSpec(teacher_config.image_size, teacher_config.views,
                              teacher_config.dims)
        self.cache: TeacherCache | None = None
        self._images: list[PoolImage] = images
        self._teacher: Teacher | None = None
        if config.cache:
            folder = Path(config.cache)
            if workers.rank == 0:
                build_cache(folder, images, open_teacher(teacher_config), self.spec)
            workers.wait()
            self.cache = TeacherCache(folder)
            self.names, self.valid = self.cache.names, self.cache.valid
            self.grid = self.cache.grid
            self.channels = self.cache.tokens.shape[3]
            classes = self.cache.class_token
            self.class_channels = 0 if classes is None else classes.shape[2]
            self.has_attention = self.cache.attention is not None
        else:
            if teacher_config.dims:
                raise ConfigError('distill.teacher.dims needs distill.cache: set it to 0 or '
                                  'name a cache folder')
            self._teacher = open_teacher(teacher_config)
            size = self.spec.size
            out = ask_teacher(self._teacher, np.zeros((1, size, size, 3), np.uint8))
            self.names = [image.name for image in images]
            self.valid = np.ones(len(images), bool)
            self.grid, self.channels = out.grid, out.patches.shape[2]
            self.class_channels = self._teacher.class_channels
            self.has_attention = out.attention is not None

    def batch(self, rows: np.ndarray, keys: np.ndarray, size: tuple[int, int],
              clean_share: float) -> DistillBatch:
        """
        Prepare a batch.

        :param rows: images.
        :param keys: of the randomness of each, ``[len(rows), k]``.
        :param size: height and width that the student sees.
        :param clean_share: see `DistillConfig`.
        """
        views, pictures, outputs = [], [], []
        kept = []
        for row, key in zip(rows, keys):
            rng = np.random.default_rng(tuple(int(k) for k in key))
            view = int(rng.integers(self.spec.views))
            picture = self._picture(int(row), view)
            if picture is None:
                continue
            kept.append(int(row))
            views.append(view)
            outputs.append(picture)
            pictures.append(student_view(picture, size, rng, clean_share))
        if not kept:
            raise RuntimeError('no image of a whole batch decodes: '
                               + ', '.join(self.names[int(row)] for row in rows))
        images = torch.from_numpy(np.stack(pictures))
        names = [self.names[row] for row in kept]
        if self.cache is not None:
            cache = self.cache

            def read(array: np.ndarray | None) -> torch.Tensor | None:
                if array is None:
                    return None
                return torch.from_numpy(np.stack(
                    [array[row, view] for row, view in zip(kept, views)])).float()

            patches = read(cache.tokens)
            assert patches is not None
            return DistillBatch(names, images, patches, read(cache.class_token),
                                read(cache.attention))
        assert self._teacher is not None
        out = ask_teacher(self._teacher, np.stack(outputs))
        token = None if out.class_token is None else out.class_token.float()
        attention = None if out.attention is None else out.attention.float()
        # Inference tensors cannot take part in a backward pass; copies can.
        return DistillBatch(names, images, out.patches.clone(),
                            None if token is None else token.clone(),
                            None if attention is None else attention.clone())

    def _picture(self, row: int, view: int) -> np.ndarray | None:
        if self.cache is not None:
            return np.asarray(self.cache.views[row, view]) if self.valid[row] else None
        image = read_rgb(self._images[row].path)
        if image is None:
            self.valid[row] = False
            return None
        return image_view(image, row, view, self.spec)


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
    """

    def __init__(self, config: DistillConfig, network: PlaceNetwork, heads: DistillHeads,
                 grid: tuple[int, int], target: DescriptorTarget | None) -> None:
        """Keep what the terms need."""
        self.config, self.network, self.heads = config, network, heads
        self.grid, self.target = grid, target
        self._bf16 = config.optimizer.bf16 and has_bfloat16()
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
        if weights.patch:
            aligned = align(patches, self.grid, self.network.config.vit.grid)
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
            embedding = self.network.aggregation(tokens)
            real = self._distance(embedding, wanted) + 0.02 * F.mse_loss(embedding, wanted)
            binary = self._distance(binarize(embedding), wanted)
            terms.update(float=real, binary=binary)
            terms['descriptor'] = (1 - 0.5 * q) * real + q * binary
        total = sum(getattr(weights, name) * terms[key]
                    for name, key in (('class_token', 'class'), ('patch', 'patch'),
                                      ('attention', 'attention'), ('descriptor', 'descriptor'))
                    if key in terms)
        assert isinstance(total, torch.Tensor)
        return {**terms, 'total': total}

    def _distance(self, x: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        whole = (1 - F.cosine_similarity(x, wanted, dim=-1)).mean()
        config = self.network.config.aggregation
        if config.kind != 'grid':
            return whole
        cells = (config.rows * config.cols, -1)
        by_cell = F.cosine_similarity(x.unflatten(1, cells), wanted.unflatten(1, cells), dim=-1)
        return 0.5 * whole + 0.5 * (1 - by_cell).mean()


def align(patches: torch.Tensor, grid: tuple[int, int], wanted: tuple[int, int]
          ) -> torch.Tensor:
    """
    Resample a token map to another grid.

    :param patches: ``[B, rows*cols, C]``.
    :param grid: its rows and columns.
    :param wanted: rows and columns of the result.
    """
    if grid == wanted:
        return patches
    x = patches.transpose(1, 2).unflatten(2, grid)
    x = F.interpolate(x, wanted, mode='bilinear', antialias=True)
    return x.flatten(2).transpose(1, 2)


def start_network(start: StartConfig, config: TrainConfig, images: torch.Tensor | None
                  ) -> PlaceNetwork:
    """
    Build a network from a trunk, a model of ours, or at random.

    :param start: which.
    :param config: shape and seed.
    :param images: uint8 ``[n, H, W, 3]`` that a trunk is rounded on.
    :raises ConfigError: the files do not exist or do not fit.
    """
    torch.manual_seed(config.seed)
    network = PlaceNetwork(config.network)
    if start.model:
        source = load_network(Path(start.model))
        wanted = config.network.vit
        if wanted.activations == 'static' and source.config.vit.activations == 'token':
            raise ConfigError(f'{start.model} has no static ranges yet: train it with '
                              'network.vit.activations: token and export it as static')
        if replace(source.config.vit, activations=wanted.activations) != wanted:
            raise ConfigError(f'{start.model} has another backbone: {source.config.vit}, not '
                              f'{wanted}')
        state = source.backbone.state_dict()
        network.backbone.load_state_dict({name: state[name]
                                          for name in network.backbone.state_dict()})
        network.norm.load_state_dict(source.norm.state_dict())
        if source.config.aggregation == config.network.aggregation:
            network.aggregation.load_state_dict(source.aggregation.state_dict())
    elif start.trunk:
        try:
            state = load_file(start.trunk)
        except (OSError, SafetensorError) as error:
            raise ConfigError(f'start.trunk: cannot read {start.trunk}: {error}') from error
        load_timm_trunk(network.backbone, state)
        assert images is not None
        round_network(network.backbone, network.normalise(images),
                      compensate=start.compensate)
    return network


def distill(config: TrainConfig) -> PlaceNetwork:
    """
    Run stage 1, or continue it.

    :param config: of the whole training.
    :raises ConfigError: keys contradict each other or the files.
    :raises FloatingPointError: the loss is not finite; step and images are named.
    """
    stage = config.distill
    workers = Workers.join()
    if stage.losses.descriptor and not stage.cache:
        raise ConfigError('distill.losses.descriptor needs distill.cache')
    source = Source(stage, workers)
    size = config.network.vit.input_size
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
    held_out = np.array([held(name) for name in source.names])
    rows = np.flatnonzero(source.valid & ~held_out)
    if len(rows) < stage.optimizer.batch:
        raise ConfigError(f'distill.images: {len(rows)} images are left to train on, fewer '
                          f'than a batch of {stage.optimizer.batch}')
    target = (fit_target(source.cache, rows, config.network.aggregation, seed=config.seed)
              if source.cache is not None and stage.losses.descriptor else None)
    per_epoch = len(rows) // stage.optimizer.batch
    steps = stage.optimizer.steps or round(stage.optimizer.epochs * per_epoch)

    torch.manual_seed(config.seed)
    heads = DistillHeads(config.network.vit.width, source.channels, source.class_channels)
    resuming = (Path(config.run) / 'distill.pt').exists()
    if resuming:
        network = PlaceNetwork(config.network)
    else:
        network = _initialise(config, source, rows, heads, target)
    network, heads = network.to(device()), heads.to(device())
    loop: Loop[DistillBatch] = Loop(
        Path(config.run), 'distill', stage.optimizer, steps,
        {'network': network, 'heads': heads}, {'config': network_entry(config.network)})
    loop.resume()
    loss = DistillationLoss(stage, network, heads, source.grid,
                            target.to(device()) if target else None)

    def make(step: int, part: int, parts: int) -> DistillBatch:
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng((config.seed, epoch)).permutation(rows)
        batch = stage.optimizer.batch
        picks = order[place * batch:(place + 1) * batch]
        keys = np.stack([np.full(batch, config.seed), np.full(batch, step), np.arange(batch)], 1)
        mine = slice(part, None, parts)
        return source.batch(picks[mine], keys[mine], size, stage.clean_share)

    validation = Validation.of(config)
    loop.train(make, loss, (lambda: validation(network)) if validation else None)
    if not source.valid.all():
        print(f'{int((~source.valid).sum())} of {len(source.names)} images did not decode '
              'and were skipped')
    set_ternary_factor(network, 1.0)
    return network


def _initialise(config: TrainConfig, source: Source, rows: np.ndarray, heads: DistillHeads,
                target: DescriptorTarget | None) -> PlaceNetwork:
    """Build the student and set its heads by regression."""
    start, size = config.distill.start, config.network.vit.input_size
    rng = np.random.default_rng(config.seed)

    def sample(count: int) -> DistillBatch:
        picks = rng.choice(rows, min(count, len(rows)), replace=False)
        keys = np.stack([np.full(len(picks), config.seed), np.arange(len(picks))], 1)
        return source.batch(picks, keys, size, 0.5)

    images = sample(start.calibration).images if start.trunk else None
    network = start_network(start, config, images)
    if start.fit_head and (start.trunk or start.model):
        batch = sample(4 * start.calibration)
        with torch.no_grad():
            tokens = torch.cat([network.tokens(part) for part in batch.images.split(16)])
            aligned = align(batch.patches, source.grid, config.network.vit.grid)
            fit_linear(heads.to_patch, tokens[:, 1:].flatten(0, 1), aligned.flatten(0, 1))
            if target is not None and isinstance(network.aggregation, GridHead):
                fit_grid_head(network.aggregation, tokens, target(batch.patches))
    return network
