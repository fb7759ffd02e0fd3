# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The teacher's descriptor, and closed-form first guesses of the student's heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tetra_vpr_ros.training.network import grid_pooling, PlaceNetwork
from tetra_vpr_ros.training.teacher_cache import TeacherCache
import torch


@dataclass
class DescriptorTarget:
    """
    Map from teacher tokens to the embedding whose signs the student shall learn.

    Tokens are averaged over the grid, centred per cell, projected on the
    principal axes, half whitened (divided by the fourth root of the variance)
    and rotated at random, which spreads the variance evenly over the bits.

    :ivar pool: ``[cells*cells, tokens]``.
    :ivar mean: ``[cells*cells, teacher_dims]``.
    :ivar matrix: ``[teacher_dims, bits / cells**2]``.
    """

    pool: torch.Tensor
    mean: torch.Tensor
    matrix: torch.Tensor

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map ``[B, tokens, teacher_dims]`` to ``[B, bits]``."""
        return ((self.pool @ tokens - self.mean) @ self.matrix).flatten(1)


def fit_target(cache: TeacherCache, rows: np.ndarray, cells: int, bits: int,
               whitening: float = 0.5, seed: int = 0) -> DescriptorTarget:
    """
    Fit centring, whitening and rotation on cached teacher tokens.

    :param cache: of the training pool.
    :param rows: images to fit on (never the held-out ones).
    :param cells: side of the grid.
    :param bits: of the whole descriptor.
    :param whitening: 0 keeps the variances, 1 makes them all equal.
    :param seed: of the rotation.
    :raises ValueError: the teacher has too few dimensions for that many bits.
    """
    dims = bits // cells**2
    if dims > cache.tokens.shape[3]:
        raise ValueError(f'{bits} bits need {dims} teacher dimensions a cell, the cache has '
                         f'{cache.tokens.shape[3]}')
    grid = int(round(cache.tokens.shape[2] ** 0.5))
    pool = grid_pooling(grid, cells)
    pooled = torch.stack([
        pool @ torch.from_numpy(cache.tokens[i, 0].astype(np.float32)) for i in rows])
    mean = pooled.mean(0)
    centred = (pooled - mean).flatten(0, 1)
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    values, vectors = values.flip(0)[:dims], vectors.flip(1)[:, :dims]
    rotation, _ = torch.linalg.qr(
        torch.randn(dims, dims, generator=torch.Generator().manual_seed(seed)))
    matrix = vectors * values.clamp_min(1e-8) ** (-whitening / 2) @ rotation
    # Unit variance on average, so that |x| <= 1 (the sign's gradient) covers most of it.
    matrix = matrix / (centred @ matrix).std()
    return DescriptorTarget(pool, mean, matrix)


@torch.no_grad()
def fit_heads(network: PlaceNetwork, images: torch.Tensor, tokens: torch.Tensor,
              target: DescriptorTarget, ridge: float = 1e-2, batch: int = 16) -> None:
    """
    Set both heads to the ridge regression from the student's tokens.

    :param network: whose backbone is already rounded.
    :param images: uint8 ``[n, H, W, 3]``.
    :param tokens: teacher tokens of the same images, ``[n, tokens, teacher_dims]``.
    :param target: what the descriptor head regresses.
    :param ridge: relative to the mean diagonal.
    :param batch: images per forward pass.
    """
    student = torch.cat([network.tokens(part) for part in images.split(batch)])

    def solve(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        gram = x.T @ x
        gram += ridge * gram.diagonal().mean() * torch.eye(len(gram))
        return torch.linalg.solve(gram, x.T @ y)

    x, y = student.flatten(0, 1), tokens.flatten(0, 1)
    weight = solve(x - x.mean(0), y - y.mean(0))
    network.to_teacher.weight.copy_(weight.T)
    network.to_teacher.bias.copy_(y.mean(0) - x.mean(0) @ weight)
    cells = network.pool @ student
    wanted = target(tokens).reshape(len(tokens), *network.threshold.shape)
    centre = cells.mean(0)
    weight = solve((cells - centre).flatten(0, 1), (wanted - wanted.mean(0)).flatten(0, 1))
    network.project.weight.copy_(weight.T)
    network.threshold.copy_(wanted.mean(0) - centre @ weight)
