# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Distil a ternary student from cached teacher tokens.

The student sees a picture in changed light, the teacher saw it clean. Losses:
every token regresses the teacher's token (1 - cosine + 0.1 MSE), the embedding
regresses the teacher's (1 - cosine, whole and per cell), and its signs do so
with a straight-through gradient, faded in by ``q = sigmoid(16 t - 6)`` as in
TeTRA.

Usage: ``python -m tetra_vpr_ros.training.distill --run DIR --cache DIR --trunk FILE``;
the same command resumes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
import csv
from dataclasses import asdict, dataclass, field
import math
import os
from pathlib import Path
import queue
import threading
import time

import cv2
import numpy as np
from safetensors.torch import load_file
from tetra_vpr_ros.training.network import binarize, NetworkConfig, PlaceNetwork
from tetra_vpr_ros.training.pool import PoolImage
from tetra_vpr_ros.training.rounding import round_network
from tetra_vpr_ros.training.targets import DescriptorTarget, fit_heads, fit_target
from tetra_vpr_ros.training.teacher_cache import TeacherCache
from tetra_vpr_ros.training.views import photometric_view
from tetra_vpr_ros.training.vit import load_timm_trunk
import torch
from torch.nn import functional as F
from tqdm import tqdm


@dataclass(frozen=True)
class DistillConfig:
    """Everything that a run depends on but its files."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    steps: int = 2000
    batch: int = 16
    learning_rate: float = 8e-5
    scale_learning_rate: float = 1e-5
    weight_decay: float = 0.01
    warmup: int = 50
    decay: float = 0.5          # last share of the steps, linear to zero
    clean_share: float = 0.2    # of images whose light is not changed
    calibration: int = 96
    seed: int = 0
    save_every: int = 50


def progressive_factor(t: float) -> float:
    """Return TeTRA's schedule ``sigmoid(16 t - 6)`` for t in 0..1."""
    return 1.0 / (1.0 + math.exp(6.0 - 16.0 * t))


def learning_rate_factor(step: int, config: DistillConfig) -> float:
    """Warm up, stay, and fall linearly over the last share of the steps."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    left = (config.steps - step) / max(1.0, config.decay * config.steps)
    return warm * min(1.0, left)


def student_view(view: np.ndarray, size: int, rng: np.random.Generator,
                 clean_share: float) -> np.ndarray:
    """Return what the student sees of a cached view: resized, in other light."""
    small = cv2.resize(view, (size, size), interpolation=cv2.INTER_AREA)
    return small if rng.random() < clean_share else photometric_view(small, rng)


def batches(cache: TeacherCache, rows: np.ndarray, config: DistillConfig,
            start: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """
    Yield images and teacher tokens of each step, prepared in a thread.

    What a step holds depends on the seed and its number alone, so that a
    resumed run sees what an uninterrupted one would.
    """
    size = config.network.vit.image_size
    ready: queue.Queue[tuple[torch.Tensor, torch.Tensor]] = queue.Queue(2)
    per_epoch = max(1, len(rows) // config.batch)

    def make(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng((config.seed, epoch)).permutation(rows)
        picks = order[place * config.batch:(place + 1) * config.batch]
        rng = np.random.default_rng((config.seed, step, 1))
        views = rng.integers(0, cache.views.shape[1], len(picks))
        images = [student_view(cache.views[i, v], size, rng, config.clean_share)
                  for i, v in zip(picks, views)]
        tokens = np.stack([cache.tokens[i, v] for i, v in zip(picks, views)])
        return torch.from_numpy(np.stack(images)), torch.from_numpy(tokens).float()

    def produce() -> None:
        for step in range(start, config.steps):
            ready.put(make(step))

    threading.Thread(target=produce, daemon=True).start()
    for _ in range(start, config.steps):
        yield ready.get()


def distillation_loss(network: PlaceNetwork, tokens: torch.Tensor, teacher: torch.Tensor,
                      target: DescriptorTarget, q: float) -> dict[str, torch.Tensor]:
    """
    Compute the terms of the loss.

    :param network: the student, for its heads.
    :param tokens: its patch tokens, ``[B, n, C]``.
    :param teacher: teacher tokens, ``[B, n, teacher_dims]``.
    :param target: the teacher's descriptor.
    :param q: weight of the binary term against the float one.
    """
    regressed = network.to_teacher(tokens)
    token = (1 - F.cosine_similarity(regressed, teacher, dim=-1)).mean()
    token = token + 0.1 * F.mse_loss(regressed, teacher)
    wanted = target(teacher)
    embedding = network.embed(tokens)
    cells = network.threshold.shape

    def distance(x: torch.Tensor) -> torch.Tensor:
        whole = (1 - F.cosine_similarity(x, wanted, dim=-1)).mean()
        by_cell = F.cosine_similarity(
            x.unflatten(1, cells), wanted.unflatten(1, cells), dim=-1)
        return 0.5 * whole + 0.5 * (1 - by_cell).mean()

    real = distance(embedding) + 0.02 * F.mse_loss(embedding, wanted)
    binary = distance(binarize(embedding))
    return {'token': token, 'float': real, 'binary': binary,
            'total': token + (1 - 0.5 * q) * real + q * binary}


def initialise(config: DistillConfig, cache: TeacherCache, rows: np.ndarray, trunk: Path,
               target: DescriptorTarget) -> PlaceNetwork:
    """Build a student from a float trunk: rounded with compensation, heads regressed."""
    torch.manual_seed(config.seed)
    network = PlaceNetwork(config.network)
    load_timm_trunk(network.backbone, load_file(str(trunk)))
    rng = np.random.default_rng(config.seed)
    size = config.network.vit.image_size

    def sample(count: int, clean: float) -> tuple[torch.Tensor, torch.Tensor]:
        picks = rng.choice(rows, min(count, len(rows)), replace=False)
        images = np.stack([student_view(cache.views[i, 0], size, rng, clean) for i in picks])
        tokens = np.stack([cache.tokens[i, 0] for i in picks])
        return torch.from_numpy(images), torch.from_numpy(tokens).float()

    images, _ = sample(config.calibration, 0.5)
    round_network(network.backbone, network.normalise(images))
    images, tokens = sample(4 * config.calibration, 0.5)
    fit_heads(network, images, tokens, target)
    return network


@torch.no_grad()
def validate(network: PlaceNetwork, cache: TeacherCache, rows: np.ndarray,
             seed: int = 0) -> dict[str, float]:
    """
    Recall@1 on held-out pictures: a clean view finds its own cut, in other light.

    :returns: ``float`` (cosine) and ``binary`` (Hamming) recall, 0..1.
    """
    size = network.config.vit.image_size
    rng = np.random.default_rng(seed)

    def encode(images: list[np.ndarray]) -> torch.Tensor:
        return torch.cat([network(torch.from_numpy(np.stack(images[i:i + 16])))
                          for i in range(0, len(images), 16)])

    database = encode([student_view(cache.views[i, 0], size, rng, 1.0) for i in rows])
    queries = encode([student_view(cache.views[i, 1], size, rng, 0.0) for i in rows])
    truth = torch.arange(len(rows))
    by_sign = (binarize(queries) @ binarize(database).T).argmax(1)
    by_cosine = (F.normalize(queries) @ F.normalize(database).T).argmax(1)
    return {'float': float((by_cosine == truth).float().mean()),
            'binary': float((by_sign == truth).float().mean())}


def save_atomically(state: dict[str, object], path: Path) -> None:
    """Write a checkpoint so that a kill leaves the old one or the new one."""
    temporary = path.with_suffix('.tmp')
    torch.save(state, temporary)
    os.replace(temporary, path)


def distill(config: DistillConfig, cache: TeacherCache, trunk: Path, run: Path,
            fast: bool = True) -> PlaceNetwork:
    """
    Train, or continue to train, a student.

    :param config: of the run.
    :param cache: teacher outputs.
    :param trunk: pretrained ViT, safetensors with timm's key names.
    :param run: folder of the checkpoint ``last.pt`` and the log ``log.csv``.
    :param fast: compile the network and compute in bfloat16.
    :raises FloatingPointError: the loss is not finite; the step is named.
    """
    run.mkdir(parents=True, exist_ok=True)
    held_out = np.array([PoolImage(Path(), name).held_out for name in cache.names])
    train_rows = np.flatnonzero(cache.valid & ~held_out)
    held_out_rows = np.flatnonzero(cache.valid & held_out)
    target = fit_target(cache, train_rows, config.network.cells, config.network.bits,
                        seed=config.seed)
    checkpoint = run / 'last.pt'
    state = torch.load(checkpoint, weights_only=True) if checkpoint.exists() else None
    if state is None:
        network = initialise(config, cache, train_rows, trunk, target)
    else:
        network = PlaceNetwork(config.network)
        network.load_state_dict(state['network'])
    scales = [p for name, p in network.named_parameters() if name.endswith('channel_scale')]
    matrices = [p for name, p in network.named_parameters()
                if p.ndim >= 2 and not name.endswith('channel_scale')]
    vectors = [p for p in network.parameters() if p.ndim < 2]
    groups = [
        {'params': matrices, 'lr': config.learning_rate, 'weight_decay': config.weight_decay},
        {'params': vectors, 'lr': config.learning_rate, 'weight_decay': 0.0},
        {'params': scales, 'lr': config.scale_learning_rate, 'weight_decay': 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    base_rates = [group['lr'] for group in optimizer.param_groups]
    start = 0
    if state is not None:
        optimizer.load_state_dict(state['optimizer'])
        start = state['step']
    else:
        save_atomically({'network': network.state_dict(), 'optimizer': optimizer.state_dict(),
                         'step': 0, 'config': asdict(config)}, run / 'init.pt')
        print('before training:', validate(network, cache, held_out_rows))

    backbone = torch.compile(network.tokens) if fast else network.tokens
    log = (run / 'log.csv').open('a', newline='')
    writer = csv.writer(log)
    progress = tqdm(batches(cache, train_rows, config, start), total=config.steps, initial=start,
                    desc='distil', unit='step', mininterval=5)
    began = time.monotonic()
    for step, (images, teacher) in enumerate(progress, start):
        q = progressive_factor(step / config.steps)
        factor = learning_rate_factor(step, config)
        for group, rate in zip(optimizer.param_groups, base_rates):
            group['lr'] = rate * factor
        with torch.autocast('cpu', torch.bfloat16, enabled=fast):
            tokens = backbone(images)
        losses = distillation_loss(network, tokens.float(), teacher, target, q)
        if not torch.isfinite(losses['total']):
            raise FloatingPointError(f'the loss is not finite at step {step}')
        optimizer.zero_grad(set_to_none=True)
        losses['total'].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % 10 == 0:
            writer.writerow([step, *(f'{v.item():.4f}' for v in losses.values()),
                             f'{time.monotonic() - began:.0f}'])
            log.flush()
            progress.set_postfix({k: f'{v.item():.3f}' for k, v in losses.items()})
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            save_atomically({'network': network.state_dict(), 'optimizer': optimizer.state_dict(),
                             'step': step + 1, 'config': asdict(config)}, checkpoint)
        if (step + 1) % (10 * config.save_every) == 0 and len(held_out_rows):
            tqdm.write(f'step {step + 1}: {validate(network, cache, held_out_rows)}')
    log.close()
    return network


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--run', type=Path, required=True)
    parser.add_argument('--cache', type=Path, required=True)
    parser.add_argument('--trunk', type=Path, required=True)
    parser.add_argument('--steps', type=int, default=DistillConfig.steps)
    parser.add_argument('--batch', type=int, default=DistillConfig.batch)
    parser.add_argument('--learning-rate', type=float, default=DistillConfig.learning_rate)
    parser.add_argument('--threads', type=int, default=0)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    config = DistillConfig(steps=args.steps, batch=args.batch,
                           learning_rate=args.learning_rate)
    distill(config, TeacherCache(args.cache), args.trunk, args.run)


if __name__ == '__main__':
    main()
