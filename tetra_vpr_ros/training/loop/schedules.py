# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How the progressive factor and the learning rate change over a run."""

from __future__ import annotations

import math

from tetra_vpr_ros.training.loop.optimizer import OptimizerConfig


def progressive_factor(t: float, schedule: str = 'sigmoid') -> float:
    """
    Return the progressive factor q.

    :param t: share of the run, 0..1.
    :param schedule: ``sigmoid`` (``sigmoid(16 t - 6)``, TeTRA), ``linear``, ``cosine``
        or ``none`` (1 throughout).
    :raises ValueError: another schedule.
    """
    if schedule == 'sigmoid':
        return 1.0 / (1.0 + math.exp(6.0 - 16.0 * t))
    if schedule == 'linear':
        return t
    if schedule == 'cosine':
        return 0.5 - 0.5 * math.cos(math.pi * t)
    if schedule == 'none':
        return 1.0
    raise ValueError(f'there is no schedule {schedule!r}')


def learning_rate_factor(step: int, steps: int, config: OptimizerConfig) -> float:
    """Warm up, then follow the configured schedule; see `OptimizerConfig`."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    if config.schedule == 'constant':
        return warm
    if config.schedule == 'cosine':
        return warm * (0.5 + 0.5 * math.cos(math.pi * step / max(1, steps)))
    return warm * min(1.0, (steps - step) / max(1.0, config.decay * steps))
