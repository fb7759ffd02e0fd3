# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Does structure help? The same training with it, without it, and with what only looks like it."""

from __future__ import annotations

from collections.abc import Callable
import csv
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.loop.checkpoint import load_network
from tetra_vpr_ros.training.loop.recipe import hold_to_recipe
from tetra_vpr_ros.training.loop.run_config import RunConfig
from tetra_vpr_ros.training.loop.validation import Validation
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
from tetra_vpr_ros.training.stages.finetune import finetune, first_network
from tetra_vpr_ros.training.stages.finetune_config import FinetuneConfig
from tetra_vpr_ros.training.structure.structural_knowledge import prepare
from tetra_vpr_ros.training.structure.structure_config import StructureConfig

KINDS = {'binary': 'the signs', 'second_look': 'the second look'}
"""Which recall@1 is measured; the latter where the network has codes of its patch tokens."""

ARMS = ('none', 'true', 'shuffled', 'random')
"""Without structure; with it; label maps of other pictures; weights of other pictures."""

_RESAMPLES = 2000


@dataclass(frozen=True)
class Arm:
    """
    One row of the table, in shares of 1.

    :ivar name: of `ARMS`, or ``start``, before any training.
    :ivar kind: of `KINDS`.
    :ivar seeds: recall@1 for each seed.
    :ivar interval: 95 % of the mean, over queries and seeds (bootstrap).
    :ivar gain: mean difference to ``none``.
    :ivar gain_interval: 95 % of it, paired over queries and seeds.
    """

    name: str
    kind: str
    seeds: tuple[float, ...]
    interval: tuple[float, float]
    gain: float
    gain_interval: tuple[float, float]

    @property
    def helps(self) -> bool:
        """Tell whether it is better than nothing, outside the noise."""
        return self.gain_interval[0] > 0


def ablate(config: RunConfig, stage: FinetuneConfig, structure: StructureConfig, seeds: int = 3
           ) -> list[Arm]:
    """
    Train and measure every arm with the same steps and seeds; the start is measured, too.

    Each run lies in ``<run>/ablate/<arm>_<seed>`` and continues where it was interrupted.

    :param config: of the run.
    :param stage: of stage 2.
    :param structure: its ``weight`` is that of the three arms.
    :param seeds: of each arm; three or more tell something.
    :raises ConfigError: there is no weight, or no validation.
    """
    if not structure.weight > 0:
        raise ConfigError('structure.weight must be positive: it is what is tried')
    validation = Validation.of(config.validation, config.network.vit.input_size)
    if validation is None:
        raise ConfigError('validation.places is empty: recall is measured there')
    runs = Path(config.run) / 'ablate'
    optimizer = stage.optimizer  # arms of two recipes, or of two lengths, make no table
    hold_to_recipe(runs, 'ablation', {
        **config.recipe(), **asdict(stage), 'structure': asdict(structure),
        'length': [optimizer.steps, optimizer.epochs]}, any(runs.glob('*/hits.npz')))
    start = first_network(config, stage)
    knowledge = prepare(config, structure, start)

    def train(arm: str, seed: int) -> PlaceNetwork:
        run = runs / f'{arm}_{seed}'
        taught = (replace(structure, weight=0.0) if arm == 'none'
                  else replace(structure, control=arm))
        finetune(replace(config, run=str(run), seed=seed), stage, taught, knowledge,
                 runs / 'alike.npz', validate=False)  # the best one would be a choice
        return load_network(run / 'finetune.pt')

    hits = {'start': [_hits(runs / 'start', validation, lambda: start)]}
    for arm in ARMS:
        hits[arm] = [_hits(runs / f'{arm}_{seed}', validation, partial(train, arm, seed))
                     for seed in range(seeds)]
    arms = []
    for kind in (kind for kind in KINDS if kind in hits['start'][0]):
        found = {name: np.stack([part[kind] for part in parts]).astype(float)
                 for name, parts in hits.items()}  # (seeds, queries)
        found['start'] = found['start'].repeat(seeds, axis=0)
        arms += [_row(name, kind, found[name], found['none']) for name in ('start', *ARMS)]
    _write(arms, Path(config.run) / 'ablation.csv')
    return arms


def _hits(run: Path, validation: Validation, network: Callable[[], PlaceNetwork]
          ) -> dict[str, np.ndarray]:
    """Read what was measured of a run's network, or make and measure it."""
    stored = run / 'hits.npz'
    if not stored.exists():
        hits = validation.hits(network())
        run.mkdir(parents=True, exist_ok=True)
        half = stored.with_suffix('.tmp.npz')
        np.savez(half, **hits)
        half.replace(stored)
    with np.load(stored) as file:
        return dict(file)


def _row(name: str, kind: str, hits: np.ndarray, base: np.ndarray) -> Arm:
    rng = np.random.default_rng(0)
    seeds, queries = hits.shape
    means, gains = [], []
    for _ in range(_RESAMPLES):
        # Both are samples: the queries that were asked, and the seeds that were drawn.
        which = np.ix_(rng.integers(0, seeds, seeds), rng.integers(0, queries, queries))
        means.append(hits[which].mean())
        gains.append((hits[which] - base[which]).mean())
    ends = [2.5, 97.5]
    return Arm(name, kind, tuple(float(v) for v in hits.mean(1)),
               tuple(float(v) for v in np.percentile(means, ends)),
               float((hits - base).mean()),
               tuple(float(v) for v in np.percentile(gains, ends)))


def table(arms: list[Arm]) -> str:
    """Return the arms as Markdown tables, in per cent, and what follows from each."""
    return '\n\n'.join(_table([arm for arm in arms if arm.kind == kind], title)
                       for kind, title in KINDS.items()
                       if any(arm.kind == kind for arm in arms))


def _table(arms: list[Arm], title: str) -> str:
    lines = [f'Recall@1 of {title}:', '',
             '| structure | recall@1 | 95 % | seeds | gain | 95 % |', '|---|---|---|---|---|---|']
    for arm in arms:
        low, high = (100 * v for v in arm.interval)
        first, last = (100 * v for v in arm.gain_interval)
        each = ', '.join(f'{100 * v:.1f}' for v in arm.seeds) if arm.name != 'start' else ''
        lines.append(f'| {arm.name} | {100 * np.mean(arm.seeds):.1f} | {low:.1f} to {high:.1f} '
                     f'| {each} | {100 * arm.gain:+.1f} | {first:+.1f} to {last:+.1f} |')
    named = {arm.name: arm for arm in arms}
    true, others = named['true'], [named['shuffled'], named['random']]
    if not true.helps:
        text = 'True structure does not win outside the noise: train without it.'
    elif any(other.gain >= true.gain for other in others):
        text = 'A control gains as much: what helps is not the structure.'
    else:
        text = 'True structure wins outside the noise.'
    return '\n'.join([*lines, '', text])


def _write(arms: list[Arm], path: Path) -> None:
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['recall_of', 'structure', 'recall', 'low', 'high', 'gain', 'gain_low',
                         'gain_high', 'seeds'])
        for arm in arms:
            writer.writerow([arm.kind, arm.name, np.mean(arm.seeds), *arm.interval, arm.gain,
                             *arm.gain_interval, ' '.join(f'{v:.4f}' for v in arm.seeds)])
