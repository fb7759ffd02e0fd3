# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The teacher's descriptor, and closed-form first guesses of the student's heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tetra_vpr_ros.training.network.aggregation import AggregationConfig, grid_pooling, GridHead
from tetra_vpr_ros.training.teachers.cache import TeacherCache
import torch
from torch import nn


@dataclass
class DescriptorTarget:
    """
    Map from teacher tokens to the embedding whose signs the student shall learn.

    Tokens are averaged over the grid, centred per cell, projected on the
    principal axes, half whitened (divided by the fourth root of the variance)
    and rotated at random, which spreads the variance evenly over the bits.

    :ivar pool: ``[cells, tokens]``.
    :ivar mean: ``[cells, teacher_dims]``.
    :ivar matrix: ``[teacher_dims, bits / cells]``.
    """

    pool: torch.Tensor
    mean: torch.Tensor
    matrix: torch.Tensor

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map ``[B, tokens, teacher_dims]`` to ``[B, bits]``."""
        return ((self.pool @ tokens - self.mean) @ self.matrix).flatten(1)

    def to(self, device: torch.device) -> DescriptorTarget:
        """Return the target on a device."""
        return DescriptorTarget(self.pool.to(device), self.mean.to(device),
                                self.matrix.to(device))


def fit_target(cache: TeacherCache, rows: np.ndarray, config: AggregationConfig,
               whitening: float = 0.5, seed: int = 0) -> DescriptorTarget:
    """
    Fit centring, whitening and rotation on cached teacher tokens.

    :param cache: of the training pool.
    :param rows: images to fit on (never the held-out ones).
    :param config: grid and bits.
    :param whitening: 0 keeps the variances, 1 makes them all equal.
    :param seed: of the rotation.
    :raises ValueError: the teacher has too few dimensions for that many bits.
    """
    cells = config.rows * config.cols
    dims = config.bits // cells
    if dims * cells != config.bits:
        raise ValueError(f'{config.bits} bits do not divide over {cells} cells')
    if dims > cache.tokens.shape[3]:
        raise ValueError(f'{config.bits} bits need {dims} teacher dimensions a cell, the cache '
                         f'has {cache.tokens.shape[3]}')
    pool = grid_pooling(cache.grid, config.rows, config.cols, config.softness)
    pooled = torch.stack([
        pool @ torch.from_numpy(cache.tokens[i, 0].astype(np.float32)) for i in rows])
    mean = pooled.mean(0)
    centred = (pooled - mean).flatten(0, 1)
    matrix = whitened_axes(centred.T @ centred / len(centred), dims, whitening, seed)
    # Unit variance on average, so that |x| <= 1 (the sign's gradient) covers most of it.
    matrix = matrix / (centred @ matrix).std()
    return DescriptorTarget(pool, mean, matrix)


def whitened_axes(covariance: torch.Tensor, dims: int, whitening: float, seed: int
                  ) -> torch.Tensor:
    """
    Return principal axes, whitened and rotated at random, so that all numbers tell alike.

    :param covariance: ``[C, C]``, of numbers about as large as one.
    :param dims: of them that are kept, at most C.
    :param whitening: 0 keeps the variances, 1 makes them all equal.
    :param seed: of the rotation.
    :returns: ``[C, dims]``.
    """
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0)[:dims], vectors.flip(1)[:, :dims]
    rotation, _ = torch.linalg.qr(torch.randn(
        dims, dims, generator=torch.Generator().manual_seed(seed), dtype=covariance.dtype))
    return vectors * values.clamp_min(1e-8) ** (-whitening / 2) @ rotation


def ridge_regression(x: torch.Tensor, y: torch.Tensor, ridge: float = 1e-2
                     ) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Solve ``y = x W^T + b``.

    :param x: ``[n, in]``.
    :param y: ``[n, out]``.
    :param ridge: relative to the mean diagonal of the Gram matrix.
    :returns: ``W`` ``[out, in]`` and ``b`` ``[out]``.
    """
    centre, middle = x.mean(0), y.mean(0)
    x, y = x - centre, y - middle
    gram = x.T @ x
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), device=x.device)
    weight = torch.linalg.solve(gram, x.T @ y)
    return weight.T.contiguous(), middle - centre @ weight


@torch.no_grad()
def fit_linear(layer: nn.Linear, x: torch.Tensor, y: torch.Tensor) -> None:
    """Set a layer to the ridge regression from ``x`` ``[n, in]`` to ``y`` ``[n, out]``."""
    weight, bias = ridge_regression(x, y)
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)


@torch.no_grad()
def fit_grid_head(head: GridHead, tokens: torch.Tensor, wanted: torch.Tensor) -> None:
    """
    Set a grid head to the ridge regression towards the teacher's descriptor.

    :param head: of the student.
    :param tokens: the student's tokens ``[n, 1 + tokens, C]``.
    :param wanted: ``[n, bits]``.
    """
    cells = head.cells(tokens)  # (n, cells, C)
    wanted = wanted.reshape(len(wanted), *head.threshold.shape)
    centre, middle = cells.mean(0), wanted.mean(0)
    weight, _ = ridge_regression((cells - centre).flatten(0, 1), (wanted - middle).flatten(0, 1))
    head.project.weight.copy_(weight)
    head.project.bias.zero_()
    head.threshold.copy_(middle - centre @ weight.T)
