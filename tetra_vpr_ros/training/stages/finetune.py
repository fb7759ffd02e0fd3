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
from collections.abc import Callable, Iterator, Sequence
import copy
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.data.calibration import calibration_images
from tetra_vpr_ros.training.data.held_out import HeldOut
from tetra_vpr_ros.training.data.place_sampler import PlaceSampler
from tetra_vpr_ros.training.data.place_sets import open_place_set, PlaceSet, PlaceSetConfig
from tetra_vpr_ros.training.data.pool import contents, refuse_namesakes
from tetra_vpr_ros.training.data.scene_points import ScenePoints
from tetra_vpr_ros.training.loop.checkpoint import newest_checkpoint
from tetra_vpr_ros.training.loop.loop import Loop, Losses
from tetra_vpr_ros.training.loop.place_loss import MultiSimilarity
from tetra_vpr_ros.training.loop.recipe import hold_to_recipe
from tetra_vpr_ros.training.loop.run_config import RunConfig
from tetra_vpr_ros.training.loop.schedules import progressive_factor
from tetra_vpr_ros.training.loop.token_loss import token_point_loss, token_score_loss
from tetra_vpr_ros.training.loop.validation import Validation
from tetra_vpr_ros.training.network.device import device, has_bfloat16
from tetra_vpr_ros.training.network.place_network import binarize, network_entry, PlaceNetwork
from tetra_vpr_ros.training.stages.finetune_config import FinetuneConfig
from tetra_vpr_ros.training.stages.frozen_trunk import FrozenTrunk
from tetra_vpr_ros.training.stages.look_alikes import look_alikes
from tetra_vpr_ros.training.stages.place_batch import load_batch, PlaceBatch
from tetra_vpr_ros.training.stages.start import start_network, StartConfig
from tetra_vpr_ros.training.structure.loss import StructureLoss
from tetra_vpr_ros.training.structure.structural_knowledge import Knowledge, prepare
from tetra_vpr_ros.training.structure.structure_config import StructureConfig
import torch
from torch import nn
from torch.nn import functional as F


class PlaceLoss:
    """
    Multi-similarity on both embeddings, and the loss of the patch tokens.

    :param config: of the stage.
    :param network: trained; a frozen copy of it is kept where ``keep`` asks for it.
    :param structure: what a structural teacher says, and its weight.
    :param trunk: what the frozen blocks say; None runs all blocks.
    """

    def __init__(self, config: FinetuneConfig, network: PlaceNetwork,
                 structure: StructureLoss | None = None, weight: float = 0.0,
                 trunk: FrozenTrunk | None = None) -> None:
        """Create the place loss, and the copy."""
        self.config, self.network, self._trunk = config, network, trunk
        self._structure, self._weight = structure, weight
        self._needs_codes = bool(config.tokens or config.points
                                 or (structure is not None and structure.loss == 'tokens'))
        self._bf16 = config.optimizer.bf16 and has_bfloat16(device())
        self._place = MultiSimilarity()
        tokens = (network.tokens if trunk is None
                  else partial(network.tokens_above, depth=trunk.depth))
        self._tokens = torch.compile(tokens) if config.optimizer.torch_compile else tokens
        self._start = (copy.deepcopy(network).eval().requires_grad_(False)
                       if config.keep else None)

    def __call__(self, batch: PlaceBatch, share: float) -> Losses:
        """Compute the terms at a share 0..1 of the run."""
        q, where = progressive_factor(share, self.config.q_schedule), device()
        labels = batch.labels.to(where)
        seen = (batch.pictures() if self._trunk is None else self._trunk(
            batch.names, batch.views, batch.images, self._bf16)).to(where)
        with torch.autocast(where.type, torch.bfloat16, enabled=self._bf16):
            tokens = self._tokens(seen)
        embedding = self.network.aggregation(tokens.float())
        real = self._place(embedding, labels)
        signs = binarize(embedding)
        binary = self._place(signs, labels)
        terms = {'float': real, 'binary': binary}
        total = (1 - q) * real + q * binary
        codes = self.network.token_head(tokens.float()) if self._needs_codes else None
        for name, weight, value in self._token_terms(batch, labels, codes, q):
            terms[name] = value
            total = total + weight * value
        if self._structure is not None:
            terms['structure'] = self._structure(
                batch.names, embedding, signs, labels,
                None if codes is None else binarize(codes), batch.cuts)
            total = total + self._weight * terms['structure']
        if self._start is not None:
            with torch.no_grad(), torch.autocast(
                    where.type, torch.bfloat16, enabled=self._bf16):
                tokens = (self._start.tokens(seen) if self._trunk is None
                          else self._start.tokens_above(seen, self._trunk.depth))
                wanted = self._start.aggregation(tokens.float())
                kept = None if codes is None else self._start.token_head(tokens.float())
            terms['keep'] = (1 - F.cosine_similarity(embedding, wanted)).mean()
            if codes is not None:
                terms['keep'] = terms['keep'] + (
                    1 - F.cosine_similarity(codes, kept, dim=2)).mean()
            total = total + self.config.keep * terms['keep']
        return {**terms, 'total': total}

    def _token_terms(self, batch: PlaceBatch, labels: torch.Tensor, codes: torch.Tensor | None,
                     q: float) -> Iterator[tuple[str, float, torch.Tensor]]:
        """Compute name, weight and value of the terms of the patch tokens."""
        config, grid = self.config, self.network.config.vit.grid
        if codes is None:
            return

        def faded(loss: Callable[..., torch.Tensor], *of: torch.Tensor) -> torch.Tensor:
            return torch.stack([
                share * loss(x, *of, grid, config.token_temperature)
                for share, x in ((1 - q, codes), (q, binarize(codes))) if share]).sum()

        if config.tokens:
            yield 'tokens', config.tokens, faded(token_score_loss, labels)
        if config.points:
            yield 'points', config.points, faded(
                token_point_loss, batch.pairs.to(labels.device), batch.shared.to(labels.device))


def open_training_sets(places: Sequence[PlaceSetConfig], held: HeldOut) -> list[PlaceSet]:
    """Open the data sets of stage 2 without what is held out."""
    sets = []
    for entry in places:
        part = open_place_set(entry)
        sets.append(part.subset(np.array([not held.holds(image) for image in part.images])))
    return sets


def first_network(config: RunConfig, stage: FinetuneConfig, sets: list[PlaceSet] | None = None
                  ) -> PlaceNetwork:
    """
    Return the network that stage 2 starts from.

    :param config: of the run.
    :param stage: of the stage.
    :param sets: training sets, if they are open already.
    :raises ConfigError: keys contradict each other or the files.
    """
    start, run = stage.start, Path(config.run)
    if not start.model and not start.trunk:
        own = newest_checkpoint(run, 'distill')
        if own is None:
            raise ConfigError(f'finetune.start names no model, and {run} holds no stage 1: '
                              "run 'train distill' first")
        start = StartConfig(model=str(own))
    images = None
    if start.trunk:
        sets = sets or open_training_sets(stage.places, config.validation.held_out())
        images = calibration_images([image for part in sets for image in part.images],
                                    start.calibration, config.network.vit.input_size, config.seed)
        if not len(images):
            raise ConfigError('finetune.start.trunk is rounded on pictures, and none of '
                              'finetune.places decodes')
    return start_network(start, config.network, config.seed, images).to(device())


def finetune(config: RunConfig, stage: FinetuneConfig, structure: StructureConfig,
             knowledge: Knowledge | None = None, alike: Path | None = None,
             validate: bool = True) -> PlaceNetwork:
    """
    Run stage 2, or continue it.

    :param config: of the run.
    :param stage: of the stage.
    :param structure: what is distilled beside the place loss.
    :param knowledge: of the structural branch; None prepares it where ``structure.weight``
        asks for it.
    :param alike: what looks alike to the start, see `look_alikes`; None keeps it in the run.
    :param validate: look for the best checkpoint; else the last one is all that is left.
    :raises ConfigError: keys contradict each other or the files.
    :raises FloatingPointError: the loss is not finite; step and images are named.
    """
    run = Path(config.run)
    if not stage.places:
        raise ConfigError('finetune.places names no data set')
    taught = asdict(structure) if structure.weight else None
    hold_to_recipe(run, 'finetune', {**config.recipe(), **asdict(stage), 'structure': taught},
                   (run / 'finetune.pt').exists())
    sets = open_training_sets(stage.places, config.validation.held_out())
    refuse_namesakes(image for part in sets for image in part.images)
    points = ScenePoints(sets) if stage.points else None
    vit = config.network.vit
    network = first_network(config, stage, sets)
    _train_token_head(stage, structure, network)
    modules: dict[str, nn.Module] = {'network': network}
    if structure.weight:
        modules['structure'] = StructureLoss(
            knowledge or prepare(config, structure, network), network.config, structure,
            config.seed).to(device())
    similar = (look_alikes(network, sets, alike or run / 'finetune_alike.npz')
               if stage.alike else [])
    _freeze(network, stage.freeze_blocks)
    trunk = _frozen_trunk(stage, network, sets)
    # The frozen copy must be of the start, not of a checkpoint that is resumed.
    loss = PlaceLoss(stage, network, modules.get('structure'), structure.weight, trunk)
    total = sum(len(part) for part in sets)
    per_epoch = max(1, total // (stage.optimizer.batch * stage.views))
    steps = stage.optimizer.steps or round(stage.optimizer.epochs * per_epoch)
    loop: Loop[PlaceBatch] = Loop(run, 'finetune', stage.optimizer, steps, modules,
                                  {'config': network_entry(config.network)})
    loop.resume()
    sampler = PlaceSampler(sets, stage.optimizer.batch // loop.parts, stage.views,
                           stage.one_set, similar, stage.alike)
    skipped: Counter[str] = Counter()

    def make(step: int, part: int, parts: int) -> PlaceBatch:
        rng = np.random.default_rng((config.seed, step, part))
        return load_batch(sampler.draw(rng), vit, stage, rng, skipped, trunk, points)

    validation = Validation.of(config.validation, vit.input_size) if validate else None
    loop.train(make, loss, (lambda: validation(network)) if validation else None)
    if skipped:
        print(f'{len(skipped)} images did not decode and were skipped')
    return network


def _train_token_head(stage: FinetuneConfig, structure: StructureConfig, network: PlaceNetwork
                      ) -> None:
    """Let the head of the tokens be trained, where there is a loss for it."""
    wanting = {'finetune.tokens': stage.tokens, 'finetune.points': stage.points,
               'structure.loss: tokens': structure.loss == 'tokens' and structure.weight}
    for key in (key for key, weight in wanting.items() if weight):
        if network.token_head is None or stage.views < 2:
            raise ConfigError(f'{key} needs network.token_bits and two finetune.views')
        if not network.token_head.fitted:
            raise ConfigError(f'{key} needs a head of the tokens to start from: give '
                              "stage 1 distill.losses.tokens, or run 'train tokens' first")
        network.token_head.requires_grad_(True)


def _freeze(network: PlaceNetwork, blocks: int) -> None:
    """
    Keep leading blocks, and what comes before them, as they are.

    :raises ConfigError: there are not so many.
    """
    if blocks > len(network.backbone.blocks):
        raise ConfigError(f'finetune.freeze_blocks: {blocks} of the '
                          f'{len(network.backbone.blocks)} blocks that the network has')
    for block in network.backbone.blocks[:blocks]:
        block.requires_grad_(False)
    if blocks:
        for parameter in (network.backbone.cls_token, network.backbone.pos_embed,
                          *network.backbone.patch_embed.parameters()):
            parameter.requires_grad_(False)


def _frozen_trunk(stage: FinetuneConfig, network: PlaceNetwork, sets: list[PlaceSet]
                  ) -> FrozenTrunk | None:
    if not stage.cache:
        return None
    if not stage.freeze_blocks:
        raise ConfigError('finetune.cache keeps what frozen blocks say: set '
                          'finetune.freeze_blocks')
    images = sorted({image.name: image for part in sets for image in part.images}.items())
    pictures = dict(zip(dict(images), contents(image for _, image in images)))
    # Not the run's seed: a picture's views are drawn by its row and their numbers.
    recipe = {'geometric': stage.geometric, 'clean_share': stage.clean_share}
    return FrozenTrunk(Path(stage.cache), pictures, stage.cache_views, network,
                       stage.freeze_blocks, recipe)
