# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The training loop that both stages share.

A batch is cut into equal parts, one for each process and each step of gradient
accumulation. What a part holds depends on the seed, the step and its number
alone, and gradients are averaged over parts: two processes compute what one
does with twice the accumulation, and a resumed run what an uninterrupted one
does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
import math
from pathlib import Path
import time
from typing import Generic, Protocol, TypeVar

from tetra_vpr_ros.training.loop.checkpoint import CheckpointError, save_atomically
from tetra_vpr_ros.training.loop.log import Log
from tetra_vpr_ros.training.loop.optimizer import adamw, OptimizerConfig
from tetra_vpr_ros.training.loop.schedules import learning_rate_factor
from tetra_vpr_ros.training.loop.workers import Workers
from tetra_vpr_ros.training.network.device import device
import torch
from torch import nn
from tqdm import tqdm


class Batch(Protocol):
    """What one part of a step holds; ``names`` says of which images."""

    names: list[str]


B = TypeVar('B', bound=Batch)
Losses = dict[str, torch.Tensor]


class Loop(Generic[B]):
    """
    Trains modules, or continues to train them.

    :param run: folder of ``<stage>.pt``, ``<stage>_best.pt`` and the logs.
    :param stage: ``distill`` or ``finetune``.
    :param config: of the optimiser.
    :param steps: updates.
    :param modules: by name; ``network`` is what will be exported.
    :param extra: further entries of every checkpoint, such as the configuration.
    """

    def __init__(self, run: Path, stage: str, config: OptimizerConfig, steps: int,
                 modules: dict[str, nn.Module], extra: dict[str, object]) -> None:
        """Create the optimiser; nothing is read or written yet."""
        self.run, self.stage, self.config, self.steps = run, stage, config, steps
        self.modules, self.extra = modules, extra
        self.workers = Workers.join()
        self.parts = config.accumulate * self.workers.count
        if config.batch % self.parts:
            raise ValueError(
                f'{stage}.optimizer.batch {config.batch} does not divide over {self.parts} parts '
                f'({config.accumulate} accumulated, {self.workers.count} processes)')
        named = [(f'{key}.{name}', parameter) for key, module in modules.items()
                 for name, parameter in module.named_parameters() if parameter.requires_grad]
        self.parameters = [p for _, p in named]
        self.optimizer = adamw(named, config)
        self._rates = [group['lr'] for group in self.optimizer.param_groups]
        self.step = 0
        self.best = -math.inf

    @property
    def checkpoint(self) -> Path:
        """Return the file of the last checkpoint."""
        return self.run / f'{self.stage}.pt'

    def resume(self) -> bool:
        """
        Load the last checkpoint, if there is one.

        :returns: whether there was.
        :raises CheckpointError: it is damaged, or of another training.
        """
        if not self.checkpoint.exists():
            return False
        try:
            state = torch.load(self.checkpoint, weights_only=True, map_location=device())
            for name, module in self.modules.items():
                module.load_state_dict(state[name])
            self.optimizer.load_state_dict(state['optimizer'])
            self.step, self.best = state['step'], state['best']
        except Exception as error:  # pickle and zip raise their own kinds
            raise CheckpointError(
                f'{self.checkpoint} cannot be continued: it is damaged, or of another training '
                f'({type(error).__name__}). Put back a copy, or remove it to begin anew'
            ) from error
        return True

    def _save(self) -> None:
        if self.workers.rank:
            return
        state = {name: module.state_dict() for name, module in self.modules.items()}
        save_atomically({**self.extra, **state, 'optimizer': self.optimizer.state_dict(),
                         'step': self.step, 'best': self.best}, self.checkpoint)

    def train(self, make: Callable[[int, int, int], B], loss: Callable[[B, float], Losses],
              validate: Callable[[], dict[str, float]] | None = None) -> None:
        """
        Train up to the last step.

        :param make: batch of a step and a part of so many parts; runs in threads.
        :param loss: terms of a batch at a share of the run, ``total`` among them.
        :param validate: measures; the best ``chosen`` is kept in ``<stage>_best.pt``.
        :raises FloatingPointError: the loss is not finite; step and images are named.
        """
        config, first = self.config, self.workers.rank == 0
        self.run.mkdir(parents=True, exist_ok=True)
        if self.step >= self.steps:
            if first:
                print(f'{self.checkpoint} is at step {self.step} of {self.steps} already: nothing '
                      'is trained')
            return
        log = Log(self.run, self.stage, self.step) if first else None
        progress = tqdm(total=self.steps, initial=self.step, desc=self.stage, unit='step',
                        mininterval=2, disable=not first)
        batches = self._prefetch(make)
        began = time.monotonic()
        try:
            while self.step < self.steps:
                terms = self._update(batches, loss)
                if log is not None and (self.step % 10 == 0 or self.step + 1 == self.steps):
                    log.write(self.step, {**terms, 'rate': self.optimizer.param_groups[0]['lr'],
                                          'seconds': time.monotonic() - began})
                    progress.set_postfix({name: f'{value:.3f}' for name, value in terms.items()})
                self.step += 1
                progress.update()
                last = self.step == self.steps
                due = config.validate_every and self.step % config.validate_every == 0
                if validate and (due or last):
                    self._validate(validate, log)
                if self.step % config.save_every == 0 or last:
                    self._save()
            self.workers.wait()
        finally:
            batches.close()
            progress.close()
            if log is not None:
                log.close()

    def _update(self, batches: Iterator[B], loss: Callable[[B, float], Losses]
                ) -> dict[str, float]:
        """Take one step and return the mean of every term."""
        share = self.step / self.steps
        factor = learning_rate_factor(self.step, self.steps, self.config)
        for group, rate in zip(self.optimizer.param_groups, self._rates):
            group['lr'] = rate * factor
        self.optimizer.zero_grad(set_to_none=True)
        terms: dict[str, float] = {}
        for _ in range(self.config.accumulate):
            batch = next(batches)
            losses = loss(batch, share)
            if not torch.isfinite(losses['total']):
                raise FloatingPointError(
                    f'{self.stage}: the loss is not finite at step {self.step}, images '
                    + ', '.join(batch.names))
            (losses['total'] / self.config.accumulate).backward()
            for name, value in losses.items():
                terms[name] = terms.get(name, 0.0) + value.item() / self.config.accumulate
        for parameter in self.parameters:
            if parameter.grad is None:  # all processes must send the same tensors
                parameter.grad = torch.zeros_like(parameter)
        self.workers.average([p.grad for p in self.parameters if p.grad is not None])
        torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip)
        self.optimizer.step()
        return terms

    def _validate(self, validate: Callable[[], dict[str, float]], log: Log | None) -> None:
        if log is None:
            return
        recall = validate()
        log.board(self.step, {f'validation/{name}': value for name, value in recall.items()})
        text = ', '.join(f'{name} {100 * value:.1f} %' for name, value in recall.items())
        tqdm.write(f'{self.stage} step {self.step}: recall@1 {text}')
        with (self.run / f'{self.stage}_validation.csv').open('a') as file:
            file.write(f'{self.step},' + ','.join(f'{v:.4f}' for v in recall.values()) + '\n')
        if recall['chosen'] > self.best:
            self.best = recall['chosen']
            save_atomically({**self.extra, 'network': self.modules['network'].state_dict(),
                             'step': self.step}, self.run / f'{self.stage}_best.pt')

    def _prefetch(self, make: Callable[[int, int, int], B]) -> Iterator[B]:
        """Prepare the parts of this process ahead, in order."""
        def wanted() -> Iterator[tuple[int, int, int]]:
            for step in range(self.step, self.steps):
                for part in range(self.workers.rank, self.parts, self.workers.count):
                    yield step, part, self.parts

        queue: deque[Future[B]] = deque()
        pool = ThreadPoolExecutor(self.config.workers)
        try:
            for arguments in wanted():
                queue.append(pool.submit(make, *arguments))
                if len(queue) > 2 * self.config.workers:
                    yield queue.popleft().result()
            while queue:
                yield queue.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
