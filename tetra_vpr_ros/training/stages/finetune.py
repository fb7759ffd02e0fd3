# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Stage 2: binary fine-tuning with place labels.

Multi-similarity loss and miner (arXiv 1904.06627) on real-valued and on binary
embeddings, ``(1 - q) float + q binary`` (TeTRA, section III-C). Every picture is
cut and lit anew, so that even a set without labels has positives.
"""

from __future__ import annotations

from collections import Counter
import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tetra_vpr_ros.training.config import ConfigError, FinetuneConfig, StartConfig, TrainConfig
from tetra_vpr_ros.training.data.place_sets import open_place_set, PlaceSampler, PlaceSet
from tetra_vpr_ros.training.data.pool import PoolImage, read_rgb
from tetra_vpr_ros.training.data.views import geometric_view, student_view
from tetra_vpr_ros.training.loop.checkpoint import network_entry
from tetra_vpr_ros.training.loop.loop import device, has_bfloat16, Loop, Losses
from tetra_vpr_ros.training.loop.place_loss import MultiSimilarity
from tetra_vpr_ros.training.loop.schedules import progressive_factor
from tetra_vpr_ros.training.loop.validation import Validation
from tetra_vpr_ros.training.network.place_network import binarize, PlaceNetwork
from tetra_vpr_ros.training.stages.distill import start_network
from tetra_vpr_ros.training.structure.loss import StructureLoss
from tetra_vpr_ros.training.structure.sample_weights import SampleWeights
from tetra_vpr_ros.training.structure.structural_knowledge import prepare
import torch
from torch import nn
from torch.nn import functional as F

Knowledge = tuple[SampleWeights, dict[str, torch.Tensor]]


@dataclass
class PlaceBatch:
    """
    Pictures and their places.

    :ivar names: of the images.
    :ivar images: uint8 ``[B, H, W, 3]``.
    :ivar labels: int64 ``[B]``.
    """

    names: list[str]
    images: torch.Tensor
    labels: torch.Tensor


class PlaceLoss:
    """
    Multi-similarity on both embeddings.

    :param config: of the stage.
    :param network: trained; a frozen copy of it is kept where ``keep`` asks for it.
    :param structure: what a structural teacher says, and its weight.
    """

    def __init__(self, config: FinetuneConfig, network: PlaceNetwork,
                 structure: StructureLoss | None = None, weight: float = 0.0) -> None:
        """Create the place loss, and the copy."""
        self.config, self.network = config, network
        self._structure, self._weight = structure, weight
        self._bf16 = config.optimizer.bf16 and has_bfloat16()
        self._place = MultiSimilarity()
        self._tokens = (torch.compile(network.tokens) if config.optimizer.torch_compile
                        else network.tokens)
        self._start = (copy.deepcopy(network).eval().requires_grad_(False)
                       if config.keep else None)

    def __call__(self, batch: PlaceBatch, share: float) -> Losses:
        """Compute the terms at a share 0..1 of the run."""
        q, where = progressive_factor(share, self.config.q_schedule), device()
        images, labels = batch.images.to(where), batch.labels.to(where)
        with torch.autocast(where.type, torch.bfloat16, enabled=self._bf16):
            tokens = self._tokens(images)
        embedding = self.network.aggregation(tokens.float())
        real = self._place(embedding, labels)
        signs = binarize(embedding)
        binary = self._place(signs, labels)
        terms = {'float': real, 'binary': binary}
        total = (1 - q) * real + q * binary
        if self._structure is not None:
            terms['structure'] = self._structure(batch.names, embedding, signs, labels)
            total = total + self._weight * terms['structure']
        if self._start is not None:
            with torch.no_grad(), torch.autocast(
                    where.type, torch.bfloat16, enabled=self._bf16):
                wanted = self._start(images).float()
            terms['keep'] = (1 - F.cosine_similarity(embedding, wanted)).mean()
            total = total + self.config.keep * terms['keep']
        return {**terms, 'total': total}


def open_training_sets(config: TrainConfig) -> list[PlaceSet]:
    """Open the data sets of stage 2 without what is held out."""
    held = config.validation.held_out()
    sets = []
    for entry in config.finetune.places:
        part = open_place_set(entry)
        sets.append(part.subset(np.array([not held(image.name) for image in part.images])))
    return sets


def first_network(config: TrainConfig, sets: list[PlaceSet] | None = None) -> PlaceNetwork:
    """
    Return the network that stage 2 starts from.

    :param config: of the whole training.
    :param sets: training sets, if they are open already.
    :raises ConfigError: keys contradict each other or the files.
    """
    stage, run = config.finetune, Path(config.run)
    start = stage.start
    if not start.model and not start.trunk:
        own = run / 'distill_best.pt'
        own = own if own.exists() else run / 'distill.pt'
        if not own.exists():
            raise ConfigError(f'finetune.start names no model, and {run} holds no stage 1: '
                              "run 'train distill' first")
        start = StartConfig(model=str(own))
    images = None
    if start.trunk:
        images = _calibration(sets or open_training_sets(config), start.calibration,
                              config.network.vit.input_size, config.seed)
    return start_network(start, config, images).to(device())


def finetune(config: TrainConfig, knowledge: Knowledge | None = None) -> PlaceNetwork:
    """
    Run stage 2, or continue it.

    :param config: of the whole training.
    :param knowledge: sample weights and structural embeddings; None prepares them where
        ``structure.weight`` asks for them.
    :raises ConfigError: keys contradict each other or the files.
    :raises FloatingPointError: the loss is not finite; step and images are named.
    """
    stage, run = config.finetune, Path(config.run)
    if not stage.places:
        raise ConfigError('finetune.places names no data set')
    sets = open_training_sets(config)
    size = config.network.vit.input_size
    network = first_network(config, sets)
    modules: dict[str, nn.Module] = {'network': network}
    if config.structure.weight:
        modules['structure'] = StructureLoss(*(knowledge or prepare(config, network)),
                                             network.config.bits, config.structure,
                                             config.seed).to(device())
    for block in network.backbone.blocks[:stage.freeze_blocks]:
        block.requires_grad_(False)
    if stage.freeze_blocks:
        for parameter in (network.backbone.cls_token, network.backbone.pos_embed,
                          *network.backbone.patch_embed.parameters()):
            parameter.requires_grad_(False)
    # The frozen copy must be of the start, not of a checkpoint that is resumed.
    loss = PlaceLoss(stage, network, modules.get('structure'), config.structure.weight)
    total = sum(len(part) for part in sets)
    per_epoch = max(1, total // (stage.optimizer.batch * stage.views))
    steps = stage.optimizer.steps or round(stage.optimizer.epochs * per_epoch)
    loop: Loop[PlaceBatch] = Loop(run, 'finetune', stage.optimizer, steps, modules,
                                  {'config': network_entry(config.network)})
    loop.resume()
    sampler = PlaceSampler(sets, stage.optimizer.batch // loop.parts, stage.views)
    skipped: Counter[str] = Counter()

    def make(step: int, part: int, parts: int) -> PlaceBatch:
        rng = np.random.default_rng((config.seed, step, part))
        return _load(sampler.draw(rng), size, stage, rng, skipped)

    validation = Validation.of(config)
    loop.train(make, loss, (lambda: validation(network)) if validation else None)
    if skipped:
        print(f'{len(skipped)} images did not decode and were skipped')
    return network


def _load(places: list[list[PoolImage]], size: tuple[int, int], stage: FinetuneConfig,
          rng: np.random.Generator, skipped: Counter[str]) -> PlaceBatch:
    names, images, labels = [], [], []
    for label, place in enumerate(places):
        for image in place:
            picture = read_rgb(image.path)
            if picture is None:
                skipped[image.name] += 1
                continue
            if stage.geometric:
                picture = geometric_view(picture, max(size), rng, stage.geometric, mirror=False)
            names.append(image.name)
            images.append(student_view(picture, size, rng, stage.clean_share))
            labels.append(label)
    if not images:
        raise RuntimeError('no image of a whole batch decodes: '
                           + ', '.join(image.name for place in places for image in place))
    return PlaceBatch(names, torch.from_numpy(np.stack(images)), torch.tensor(labels))


def _calibration(sets: list[PlaceSet], count: int, size: tuple[int, int], seed: int
                 ) -> torch.Tensor:
    """Return pictures to round a trunk on."""
    rng = np.random.default_rng(seed)
    pool = [image for part in sets for image in part.images]
    pictures = []
    for i in rng.permutation(len(pool)):
        picture = read_rgb(pool[i].path)
        if picture is not None:
            pictures.append(student_view(picture, size, rng, 0.5))
        if len(pictures) == count:
            break
    return torch.from_numpy(np.stack(pictures))
