# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Structural knowledge before it is distilled: branch, ranks, weights and audit.

After StructVPR (arXiv 2212.00937): a branch that sees label maps is trained for
places, both branches look for each picture's place, and who was right decides how
much the structural teacher may say about that picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.data.place_sampler import PlaceSampler
from tetra_vpr_ros.training.data.pool import read_rgb
from tetra_vpr_ros.training.data.views import geometric_view, photometric_view, resized
from tetra_vpr_ros.training.loop.loop import Loop, Losses
from tetra_vpr_ros.training.loop.place_loss import MultiSimilarity
from tetra_vpr_ros.training.loop.recipe import hold_to_recipe
from tetra_vpr_ros.training.loop.run_config import RunConfig
from tetra_vpr_ros.training.network.device import device
from tetra_vpr_ros.training.network.place_network import binarize, PlaceNetwork
from tetra_vpr_ros.training.structure.branch import StructureBranch
from tetra_vpr_ros.training.structure.labelled_sets import LabelledSet, open_labelled_sets
from tetra_vpr_ros.training.structure.sample_weights import best_positive_ranks, SampleWeights
from tetra_vpr_ros.training.structure.structure_config import StructureConfig
import torch
from torch.nn import functional as F
from tqdm import tqdm

FEWEST = 10
"""Structure-only wins below which training on them is advised against …"""
SHARE = 0.03
"""… or below this share of the audited pictures."""

_CUT = 0.15  # of the sides, at most, as label maps are cut


@dataclass(frozen=True)
class Knowledge:
    """
    What structure says of the training pictures.

    :ivar weights: how much it may say of each picture.
    :ivar embeddings: of the branch, unit vectors by the pictures' names.
    :ivar branch: that sees label maps; None where `embeddings` are all that the loss asks for.
    :ivar sets: places with label maps, without what is held out; likewise none.
    """

    weights: SampleWeights
    embeddings: Mapping[str, torch.Tensor]
    branch: StructureBranch | None = None
    sets: Sequence[LabelledSet] = ()


@dataclass
class MapBatch:
    """
    Encoded label maps and their places.

    :ivar names: of the pictures.
    :ivar maps: float ``[B, groups, side, side]``.
    :ivar labels: int64 ``[B]``.
    """

    names: list[str]
    maps: torch.Tensor
    labels: torch.Tensor


def train_branch(config: RunConfig, stage: StructureConfig, sets: Sequence[LabelledSet]
                 ) -> StructureBranch:
    """
    Train the structural branch for places, or continue; multi-similarity as in stage 2.

    :param config: of the run.
    :param stage: shape of the branch, and how it is trained.
    :param sets: places with label maps, without what is held out.
    """
    torch.manual_seed(config.seed)
    branch = StructureBranch(stage.branch).to(device())
    loop: Loop[MapBatch] = Loop(Path(config.run), 'structure', stage.optimizer,
                                stage.optimizer.steps, {'network': branch},
                                {'branch': asdict(stage.branch)})
    loop.resume()
    sampler = PlaceSampler([part.places for part in sets],
                           stage.optimizer.batch // loop.parts, 2)
    where = {image.name: (part, i) for part in sets for i, image in enumerate(part.places.images)}
    loss = MultiSimilarity()

    def make(step: int, part: int, parts: int) -> MapBatch:
        rng = np.random.default_rng((config.seed, step, part))
        names, maps, labels = [], [], []
        for label, place in enumerate(sampler.draw(rng)):
            for image in place:
                owner, index = where[image.name]
                names.append(image.name)
                maps.append(owner.encoded(index, stage.branch.side, rng))
                labels.append(label)
        return MapBatch(names, torch.from_numpy(np.stack(maps)), torch.tensor(labels))

    def place_loss(batch: MapBatch, _: float) -> Losses:
        return {'total': loss(branch(batch.maps.to(device())), batch.labels.to(device()))}

    loop.train(make, place_loss)
    return branch.eval()


@torch.no_grad()
def embed_maps(branch: StructureBranch, part: LabelledSet, seed: int | None = None
               ) -> torch.Tensor:
    """
    Return the branch's unit embeddings ``[n, dims]`` of a data set.

    :param branch: the structural branch.
    :param part: data set.
    :param seed: of cuts; None leaves the label maps whole.
    """
    found = []
    rng = None if seed is None else np.random.default_rng(seed)
    for first in range(0, len(part), 64):
        maps = np.stack([part.encoded(i, branch.config.side, rng)
                         for i in range(first, min(first + 64, len(part)))])
        found.append(F.normalize(branch(torch.from_numpy(maps).to(device()))).cpu())
    return torch.cat(found)


@torch.no_grad()
def embed_pictures(network: PlaceNetwork, part: LabelledSet, seed: int | None = None
                   ) -> torch.Tensor:
    """
    Return the signs ``[n, bits]`` of the RGB branch.

    :param network: of the RGB branch.
    :param part: data set.
    :param seed: of other light, and of cuts where a picture is its own place; None leaves
        the pictures as they are.
    :raises ConfigError: a picture does not decode.
    """
    size, found = network.config.vit.input_size, []
    rng = np.random.default_rng(seed)
    where = next(network.parameters()).device
    for first in tqdm(range(0, len(part), 16), desc='pictures', unit='batch', leave=False):
        pictures = []
        for image in part.places.images[first:first + 16]:
            picture = read_rgb(image.path)
            if picture is None:
                raise ConfigError(f'{image.path} does not decode: remove it from the data set')
            if seed is not None and part.self_supervised:
                picture = geometric_view(picture, max(size), rng, _CUT, mirror=False)
            picture = resized(picture, size)
            pictures.append(picture if seed is None else photometric_view(picture, rng))
        found.append(binarize(network(torch.from_numpy(np.stack(pictures)).to(where))).cpu())
    return torch.cat(found)


def rank_samples(network: PlaceNetwork, branch: StructureBranch, sets: Sequence[LabelledSet],
                 right: int, seed: int) -> tuple[SampleWeights, dict[str, torch.Tensor]]:
    """
    Let both branches look for the place of every picture that has a positive.

    The RGB branch is asked in other light, which is what structure should help against;
    label maps are taken to survive that, as in the paper.

    :param network: of the RGB branch.
    :param branch: the structural one.
    :param sets: places with label maps.
    :param right: largest rank that counts as right.
    :param seed: of the light.
    :returns: the weights, and the structural embedding of each picture by name.
    """
    names: list[str] = []
    ranks: list[np.ndarray] = []
    embeddings: dict[str, torch.Tensor] = {}
    for part in sets:
        structure = embed_maps(branch, part)
        # Of pictures without labels each is its own place, seen whole and cut.
        sought = embed_maps(branch, part, seed) if part.self_supervised else structure
        embeddings.update(zip(part.names, structure))
        database, asked = embed_pictures(network, part), embed_pictures(network, part, seed)
        positive = np.zeros((len(part), len(part)), bool)
        usable = np.ones((len(part), len(part)), bool)
        for i in range(len(part)):
            same, perhaps = part.places_of(i)
            usable[i, perhaps] = False
            positive[i, same] = True
        rows = np.flatnonzero(positive.any(1))
        ranks.append(np.stack([
            best_positive_ranks((a[rows] @ b.T).numpy(), positive[rows],
                                usable[rows] | positive[rows])
            for a, b in ((sought, structure), (asked, database))]))
        names += [part.names[i] for i in rows]
    x, y = np.concatenate(ranks, axis=1)
    return SampleWeights.of(names, x, y, right), embeddings


def prepare(config: RunConfig, stage: StructureConfig, network: PlaceNetwork) -> Knowledge:
    """
    Train the branch and weigh the training pictures, or read what an earlier call has left.

    Writes ``structure_weights.csv``, ``structure_weights.png`` and
    ``structure_embeddings.pt`` into the run's folder.

    :param config: of the run.
    :param stage: data sets, branch, and what is right.
    :param network: the RGB branch before structure is distilled into it.
    """
    run = Path(config.run)
    table, stored = run / 'structure_weights.csv', run / 'structure_embeddings.pt'
    there = table.exists() and stored.exists()
    hold_to_recipe(run, 'structure', {
        **config.recipe(), 'sets': [asdict(entry) for entry in stage.sets],
        'branch': asdict(stage.branch), 'right': stage.right}, there)
    if there and stage.loss != 'tokens':
        return Knowledge(SampleWeights.read(table), torch.load(stored, weights_only=True))
    sets = open_labelled_sets(stage.sets, config.validation.held_out(), held_out=False)
    branch = train_branch(config, stage, sets)
    if there:
        return Knowledge(SampleWeights.read(table), torch.load(stored, weights_only=True), branch,
                         sets)
    weights, embeddings = rank_samples(network, branch, sets, stage.right, config.seed)
    torch.save(embeddings, stored)
    weights.plot(run / 'structure_weights.png', stage.right)
    weights.write(table)
    return Knowledge(weights, embeddings, branch, sets)


def audit(config: RunConfig, stage: StructureConfig, network: PlaceNetwork
          ) -> tuple[dict[str, int], str]:
    """
    Count who is right on the validation split, before anything is distilled.

    :param config: of the run.
    :param stage: data sets, branch, and what is right.
    :param network: the RGB branch.
    :returns: samples of each group, and advice.
    """
    held = config.validation.held_out()
    branch = train_branch(config, stage, open_labelled_sets(stage.sets, held, held_out=False))
    weights, _ = rank_samples(network, branch,
                              open_labelled_sets(stage.sets, held, held_out=True),
                              stage.right, config.seed)
    counts = weights.counts()
    total, gain = sum(counts.values()), counts['structure']
    if gain < max(FEWEST, SHARE * total):
        return counts, (f'advice: do not train with structure. It alone is right for {gain} of '
                        f'{total} pictures; {max(FEWEST, round(SHARE * total))} or more would '
                        'be worth it')
    return counts, (f'advice: structure alone is right for {gain} of {total} pictures; see '
                    "whether that can be learned with 'train ablate'")
