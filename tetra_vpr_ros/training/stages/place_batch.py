# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Batches of stage 2: every picture is cut and lit anew, or one of a few views that are kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from tetra_vpr_ros.training.data.pool import PoolImage, read_rgb
from tetra_vpr_ros.training.data.views import geometric_view, student_view
from tetra_vpr_ros.training.stages.finetune_config import FinetuneConfig
from tetra_vpr_ros.training.stages.frozen_trunk import FrozenTrunk
import torch


@dataclass
class PlaceBatch:
    """
    Pictures and their places.

    :ivar names: of the images.
    :ivar images: uint8 ``[H, W, 3]`` of each; None where the cache has it already.
    :ivar labels: int64 ``[B]``.
    :ivar views: which view of each is shown, where a few are kept.
    """

    names: list[str]
    images: list[np.ndarray | None]
    labels: torch.Tensor
    views: list[int] = field(default_factory=list)

    def pictures(self) -> torch.Tensor:
        """Return all images, uint8 ``[B, H, W, 3]``."""
        return torch.from_numpy(np.stack([image for image in self.images if image is not None]))


def load_batch(places: list[list[PoolImage]], size: tuple[int, int], stage: FinetuneConfig,
               rng: np.random.Generator, skipped: Counter[str],
               trunk: FrozenTrunk | None = None) -> PlaceBatch:
    """
    Read the pictures of some places.

    :param places: images of each.
    :param size: height and width that the network sees.
    :param stage: how they are cut and lit.
    :param rng: of that, or of which view is shown.
    :param skipped: counts what does not decode.
    :param trunk: that keeps a few views of each picture.
    :raises RuntimeError: none decodes; they are named.
    """
    batch = PlaceBatch([], [], torch.empty(0, dtype=torch.int64))
    labels = []
    for label, place in enumerate(places):
        for image in place:
            view = int(rng.integers(trunk.views)) if trunk is not None else 0
            picture = None
            if trunk is None or not trunk.has(image.name, view):
                picture = read_rgb(image.path)
                if picture is None:
                    skipped[image.name] += 1
                    continue
                key = rng if trunk is None else np.random.default_rng(
                    (trunk.row[image.name], view))
                if stage.geometric:
                    picture = geometric_view(picture, max(size), key, stage.geometric,
                                             mirror=False)
                picture = student_view(picture, size, key, stage.clean_share)
            batch.names.append(image.name)
            batch.images.append(picture)
            batch.views.append(view)
            labels.append(label)
    if not labels:
        raise RuntimeError('no image of a whole batch decodes: '
                           + ', '.join(image.name for place in places for image in place))
    batch.labels = torch.tensor(labels)
    return batch
