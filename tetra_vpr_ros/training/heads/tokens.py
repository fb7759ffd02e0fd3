# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The head of the patch tokens, fitted in closed form to what a teacher's tokens tell apart.

Nothing is trained: the network's own tokens are regressed on the teacher's. Both are taken
about the mean of their picture, as the second look compares them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from tetra_vpr_ros.training.config_keys import ConfigError, Count, NotNegative, Share
from tetra_vpr_ros.training.data.pool import picture_batches, PoolImage
from tetra_vpr_ros.training.data.views import student_view
from tetra_vpr_ros.training.loop.run_config import RunConfig
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
from tetra_vpr_ros.training.stages.distill_config import DistillConfig
from tetra_vpr_ros.training.teachers.cache import ask_teacher, CacheSpec, image_view
from tetra_vpr_ros.training.teachers.open_teacher import open_teacher
from tetra_vpr_ros.training.teachers.targets import whitened_axes
from tetra_vpr_ros.training.teachers.teacher import align
import torch

_BATCH = 16


@dataclass(frozen=True)
class TokenConfig:
    """
    How the head of the patch tokens is fitted.

    :ivar images: that it is fitted on, drawn from ``distill.images``.
    :ivar clean_share: of pictures whose light is not changed for the student.
    :ivar ridge: relative to the mean variance of the student's tokens.
    :ivar whitening: of the kept axes: 0 keeps their variances, 1 makes them all equal.
    """

    images: Count = 1500
    clean_share: Share = 0.5
    ridge: NotNegative = 1e-2
    whitening: Share = 1.0


@dataclass
class TokenMoments:
    """
    Second moments of tokens about the means of their pictures.

    :ivar student: ``[C, C]``.
    :ivar both: of student and teacher, ``[C, T]``.
    :ivar teacher: ``[T, T]``.
    """

    student: torch.Tensor
    both: torch.Tensor
    teacher: torch.Tensor

    @classmethod
    def empty(cls, width: int, channels: int) -> TokenMoments:
        """Return moments of nothing."""
        sides = ((width, width), (width, channels), (channels, channels))
        return cls(*(torch.zeros(side, dtype=torch.float64) for side in sides))

    def add(self, student: torch.Tensor, teacher: torch.Tensor) -> None:
        """Add pictures: tokens ``[B, n, C]`` and ``[B, n, T]``."""
        x, y = ((tokens - tokens.mean(1, keepdim=True)).flatten(0, 1)
                for tokens in (student, teacher))
        self.student += (x.T @ x).double()
        self.both += (x.T @ y).double()
        self.teacher += (y.T @ y).double()

    def head(self, bits: int, config: TokenConfig, seed: int) -> torch.Tensor:
        """
        Return the weights of a head.

        The teacher's tokens are regressed on the student's (ridge); what that predicts is
        projected on its principal axes, whitened and rotated at random, which spreads what
        is told apart evenly over the bits.

        :returns: ``[bits, C]``.
        :raises ConfigError: more bits than student or teacher have channels.
        """
        most = min(self.both.shape)
        if bits > most:
            raise ConfigError(f'network.token_bits: {bits} are more than the {most} that '
                              'student and teacher tell apart')
        ridge = config.ridge * self.student.diagonal().mean()
        regularised = self.student + ridge * torch.eye(len(self.student))
        predict = torch.linalg.solve(regularised, self.both)
        predicted = predict.T @ self.student @ predict
        weight = predict @ whitened_axes(predicted / predicted.diagonal().mean(), bits,
                                         config.whitening, seed)
        return (weight / weight.std()).T.float()


def fit_tokens(config: RunConfig, stage: DistillConfig, tokens: TokenConfig,
               network: PlaceNetwork) -> PlaceNetwork:
    """
    Return the network with a fitted head for its patch tokens; nothing else is changed.

    :param config: of the run; ``network.token_bits`` says how many bits.
    :param stage: whose teacher and pictures are taken.
    :param tokens: of the fit.
    :param network: trained.
    :raises ConfigError: keys contradict each other or the files.
    """
    bits = config.network.token_bits
    if not bits:
        raise ConfigError('network.token_bits is 0: say how many bits of a token are kept')
    pool = stage.pictures(config.validation.held_out())
    if not pool:
        raise ConfigError('distill.images names no pictures to fit the tokens on')
    order = np.random.default_rng(config.seed).permutation(len(pool))[:tokens.images]
    moments = gather_moments(network, stage, [pool[i] for i in order], tokens.clean_share,
                             config.seed)
    fitted = PlaceNetwork(replace(network.config, token_bits=bits))
    fitted.load_state_dict({**network.state_dict(),
                            'token_head.weight': moments.head(bits, tokens, config.seed)})
    return fitted.eval()


@torch.no_grad()
def gather_moments(network: PlaceNetwork, stage: DistillConfig, images: list[PoolImage],
                   clean_share: float, seed: int) -> TokenMoments:
    """
    Show pictures to network and teacher.

    :param network: trained.
    :param stage: whose teacher is asked.
    :param images: to be shown; what does not decode is passed over.
    :param clean_share: of pictures whose light is not changed for the student.
    :param seed: of that light.
    :raises ConfigError: none of them decodes.
    """
    teacher, moments = open_teacher(stage.teacher), None
    spec = CacheSpec(stage.teacher.image_size, 1, 0)
    grid = network.config.vit.grid
    rng = np.random.default_rng(seed)
    for pictures in picture_batches(images, _BATCH, 'tokens'):
        seen = np.stack([student_view(picture, network.config.vit.input_size, rng, clean_share)
                         for picture in pictures])
        out = ask_teacher(teacher, np.stack([image_view(picture, 0, 0, spec)
                                             for picture in pictures]))
        student = network.tokens(torch.from_numpy(seen))[:, 1:]
        if moments is None:
            moments = TokenMoments.empty(student.shape[2], out.patches.shape[2])
        moments.add(student, align(out.patches.clone(), out.grid, grid))
    if moments is None:
        raise ConfigError(f'none of {len(images)} pictures of distill.images decodes')
    return moments
