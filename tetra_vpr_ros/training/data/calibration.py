# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures that rounding and static activations are calibrated on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tetra_vpr_ros.training.data.pool import PoolImage, read_rgb
from tetra_vpr_ros.training.data.views import student_view
import torch


def calibration_images(pool: Sequence[PoolImage], count: int, size: tuple[int, int], seed: int
                       ) -> torch.Tensor:
    """
    Draw pictures, half of them in changed light.

    :param pool: to draw from; what does not decode is passed over.
    :param count: of pictures, at most.
    :param size: height and width that the network sees.
    :param seed: of the choice and the light.
    :returns: uint8 RGB ``[n, H, W, 3]``.
    """
    rng = np.random.default_rng(seed)
    pictures: list[np.ndarray] = []
    for i in rng.permutation(len(pool)):
        if len(pictures) == count:
            break
        picture = read_rgb(pool[i].path)
        if picture is not None:
            pictures.append(student_view(picture, size, rng, 0.5))
    return torch.from_numpy(np.reshape(np.array(pictures, np.uint8), (-1, *size, 3)))
