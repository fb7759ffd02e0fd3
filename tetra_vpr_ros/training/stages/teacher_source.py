# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Batches of stage 1: student pictures, and what the teacher says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.data.pool import find_pool, PoolImage, read_rgb
from tetra_vpr_ros.training.data.views import student_view
from tetra_vpr_ros.training.loop.workers import Workers
from tetra_vpr_ros.training.stages.distill_config import DistillConfig
from tetra_vpr_ros.training.teachers.cache import (
    ask_teacher, build_cache, CacheSpec, image_view, TeacherCache)
from tetra_vpr_ros.training.teachers.open_teacher import described, open_teacher
from tetra_vpr_ros.training.teachers.teacher import Teacher
import torch


@dataclass
class DistillBatch:
    """
    Student pictures and what the teacher says of them.

    :ivar names: of the images.
    :ivar images: uint8 ``[B, H, W, 3]``, in changed light.
    :ivar patches: ``[B, tokens, dims]``.
    :ivar class_token: ``[B, class_channels]``, or None.
    :ivar attention: ``[B, layers, n, n]``, or None.
    """

    names: list[str]
    images: torch.Tensor
    patches: torch.Tensor
    class_token: torch.Tensor | None
    attention: torch.Tensor | None


class TeacherSource:
    """
    The pool with the teacher's outputs, from a cache or asked as they are needed.

    :ivar images: all of them.
    :ivar names: theirs.
    :ivar valid: bool; False where a file did not decode.
    :ivar grid: rows and columns of the teacher's tokens.
    :ivar cache: the cache, or None.
    """

    def __init__(self, config: DistillConfig, workers: Workers) -> None:
        """Find the images and build or continue the cache."""
        teacher_config = config.teacher
        images = find_pool(config.images)
        self.spec = CacheSpec(teacher_config.image_size, teacher_config.views,
                              teacher_config.dims)
        self.cache: TeacherCache | None = None
        self.images: list[PoolImage] = images
        self._teacher: Teacher | None = None
        if config.cache:
            folder = Path(config.cache)
            if workers.rank == 0:
                build_cache(folder, images, open_teacher(teacher_config), self.spec,
                            described(teacher_config))
            workers.wait()
            self.cache = TeacherCache(folder)
            self.names, self.valid = self.cache.names, self.cache.valid
            self.grid = self.cache.grid
            self.channels = self.cache.tokens.shape[3]
            classes = self.cache.class_token
            self.class_channels = 0 if classes is None else classes.shape[2]
            self.has_attention = self.cache.attention is not None
        else:
            if teacher_config.dims:
                raise ConfigError('distill.teacher.dims needs distill.cache: set it to 0 or '
                                  'name a cache folder')
            self._teacher = open_teacher(teacher_config)
            size = self.spec.size
            out = ask_teacher(self._teacher, np.zeros((1, size, size, 3), np.uint8))
            self.names = [image.name for image in images]
            self.valid = np.ones(len(images), bool)
            self.grid, self.channels = out.grid, out.patches.shape[2]
            self.class_channels = self._teacher.class_channels
            self.has_attention = out.attention is not None

    def batch(self, rows: np.ndarray, keys: np.ndarray, size: tuple[int, int],
              clean_share: float) -> DistillBatch:
        """
        Prepare a batch.

        :param rows: images.
        :param keys: of the randomness of each, ``[len(rows), k]``.
        :param size: height and width that the student sees.
        :param clean_share: see `DistillConfig`.
        """
        views, pictures, outputs = [], [], []
        kept = []
        for row, key in zip(rows, keys):
            rng = np.random.default_rng(tuple(int(k) for k in key))
            view = int(rng.integers(self.spec.views))
            picture = self._picture(int(row), view)
            if picture is None:
                continue
            kept.append(int(row))
            views.append(view)
            outputs.append(picture)
            pictures.append(student_view(picture, size, rng, clean_share))
        if not kept:
            raise RuntimeError('no image of a whole batch decodes: '
                               + ', '.join(self.names[int(row)] for row in rows))
        images = torch.from_numpy(np.stack(pictures))
        names = [self.names[row] for row in kept]
        if self.cache is not None:
            cache = self.cache

            def read(array: np.ndarray | None) -> torch.Tensor | None:
                if array is None:
                    return None
                return torch.from_numpy(np.stack(
                    [array[row, view] for row, view in zip(kept, views)])).float()

            patches = read(cache.tokens)
            assert patches is not None
            return DistillBatch(names, images, patches, read(cache.class_token),
                                read(cache.attention))
        assert self._teacher is not None
        out = ask_teacher(self._teacher, np.stack(outputs))
        token = None if out.class_token is None else out.class_token.float()
        attention = None if out.attention is None else out.attention.float()
        # Inference tensors cannot take part in a backward pass; copies can.
        return DistillBatch(names, images, out.patches.clone(),
                            None if token is None else token.clone(),
                            None if attention is None else attention.clone())

    def _picture(self, row: int, view: int) -> np.ndarray | None:
        if self.cache is not None:
            return np.asarray(self.cache.views[row, view]) if self.valid[row] else None
        image = read_rgb(self.images[row].path)
        if image is None:
            self.valid[row] = False
            return None
        return image_view(image, row, view, self.spec)
