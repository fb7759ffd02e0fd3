# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
What the student's patch tokens shall say: the teacher's, in as many numbers as bits are kept.

Both are taken about the mean of their own picture, as the second look compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tetra_vpr_ros.training.teachers.cache import spread, TeacherCache
from tetra_vpr_ros.training.teachers.targets import whitened_axes
import torch


@dataclass
class TokenTarget:
    """
    Map from teacher tokens to the token codes whose signs the student shall learn.

    :ivar matrix: ``[teacher_dims, bits]``.
    """

    matrix: torch.Tensor

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map ``[B, tokens, teacher_dims]`` to ``[B, tokens, bits]``."""
        return (tokens - tokens.mean(1, keepdim=True)) @ self.matrix

    def to(self, device: torch.device) -> TokenTarget:
        """Return the target on a device."""
        return TokenTarget(self.matrix.to(device))


def fit_token_target(cache: TeacherCache, rows: np.ndarray, bits: int, whitening: float = 0.5,
                     seed: int = 0, sample: int = 2000) -> TokenTarget:
    """
    Fit axes, whitening and rotation on cached teacher tokens.

    :param cache: of the training pool.
    :param rows: images to fit on (never the held-out ones).
    :param bits: of a token.
    :param whitening: 0 keeps the variances of the axes, 1 makes them all equal.
    :param seed: of the rotation.
    :param sample: images that are looked at, spread over ``rows``.
    :raises ValueError: the teacher has too few dimensions for that many bits.
    """
    dims = cache.tokens.shape[3]
    if bits > dims:
        raise ValueError(f'network.token_bits: {bits} are more than the {dims} dimensions that '
                         'distill.teacher.dims keeps of a token')
    covariance, count = torch.zeros(dims, dims, dtype=torch.float64), 0
    for row in rows[spread(len(rows), sample)]:
        tokens = torch.from_numpy(cache.tokens[row, 0].astype(np.float64))
        centred = tokens - tokens.mean(0)
        covariance += centred.T @ centred
        count += len(centred)
    matrix = whitened_axes(covariance / count, bits, whitening, seed)
    # Unit variance on average, so that |x| <= 1 (the sign's gradient) covers most of it.
    variance = (matrix.T @ (covariance / count) @ matrix).diagonal().mean()
    return TokenTarget((matrix / variance.sqrt()).float())
