# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Batches of stage 2: every picture is cut and lit anew, or one of a few views that are kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from tetra_vpr_ros.training.data.pool import PoolImage, read_rgb
from tetra_vpr_ros.training.data.scene_points import ScenePoints
from tetra_vpr_ros.training.data.views import cut_view, random_cut, student_view
from tetra_vpr_ros.training.network.vit import ViTConfig
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
    :ivar cuts: from each picture to its view, see `random_cut`.
    :ivar pairs: of pictures whose patches are known to share points, int64 ``[P, 2]``.
    :ivar shared: the patches, int64 ``[P, rows*columns]``, see `ScenePoints.shared`.
    """

    names: list[str]
    images: list[np.ndarray | None]
    labels: torch.Tensor
    views: list[int] = field(default_factory=list)
    cuts: list[np.ndarray] = field(default_factory=list)
    pairs: torch.Tensor = field(default_factory=lambda: torch.empty(0, 2, dtype=torch.int64))
    shared: torch.Tensor = field(default_factory=lambda: torch.empty(0, 0, dtype=torch.int64))

    def pictures(self) -> torch.Tensor:
        """Return all images, uint8 ``[B, H, W, 3]``."""
        return torch.from_numpy(np.stack([image for image in self.images if image is not None]))


def load_batch(places: list[list[PoolImage]], vit: ViTConfig, stage: FinetuneConfig,
               rng: np.random.Generator, skipped: Counter[str],
               trunk: FrozenTrunk | None = None, points: ScenePoints | None = None
               ) -> PlaceBatch:
    """
    Read the pictures of some places.

    :param places: images of each.
    :param vit: what the network sees.
    :param stage: how they are cut and lit.
    :param rng: of that, or of which view is shown.
    :param skipped: counts what does not decode.
    :param trunk: that keeps a few views of each picture.
    :param points: tells which patches of two pictures of a place share a point.
    :raises RuntimeError: none decodes; they are named.
    """
    batch = PlaceBatch([], [], torch.empty(0, dtype=torch.int64))
    size = vit.input_size
    labels: list[int] = []
    for label, place in enumerate(places):
        for image in place:
            view = int(rng.integers(trunk.views)) if trunk is not None else 0
            key = rng if trunk is None else np.random.default_rng((trunk.row[image.name], view))
            picture = None
            if trunk is None or not trunk.has(image.name, view):
                picture = read_rgb(image.path)
                if picture is None:
                    skipped[image.name] += 1
                    continue
            cut = random_cut(key, stage.geometric) if stage.geometric else np.eye(3)
            if picture is not None:
                if stage.geometric:
                    picture = cut_view(picture, max(size), cut)
                picture = student_view(picture, size, key, stage.clean_share)
            batch.cuts.append(cut)
            batch.names.append(image.name)
            batch.images.append(picture)
            batch.views.append(view)
            labels.append(label)
    if not labels:
        raise RuntimeError('no image of a whole batch decodes: '
                           + ', '.join(image.name for place in places for image in place))
    batch.labels = torch.tensor(labels)
    if points is not None:
        _find_shared(batch, vit.grid, points)
    return batch


def _find_shared(batch: PlaceBatch, grid: tuple[int, int], points: ScenePoints) -> None:
    """Find the patches that the first picture of each place shares with its others."""
    pairs, cells = [], []
    for label in batch.labels.unique():
        first, *others = torch.nonzero(batch.labels == label).flatten().tolist()
        for second in others:
            shared = points.shared((batch.names[first], batch.names[second]),
                                   (batch.cuts[first], batch.cuts[second]), grid)
            if shared is not None:
                pairs.append((first, second))
                cells.append(shared)
    if pairs:
        batch.pairs, batch.shared = torch.tensor(pairs), torch.from_numpy(np.stack(cells))
