# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which teacher, by the name of its kind."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias
import zlib

from tetra_vpr_ros.training.config_keys import Count, Natural, NotNegative, Positive
from tetra_vpr_ros.training.network.vit import ViTConfig
from tetra_vpr_ros.training.teachers.dinov2 import DinoV2
from tetra_vpr_ros.training.teachers.file_teacher import FileTeacher
from tetra_vpr_ros.training.teachers.resnet50 import ResNet50Trunk
from tetra_vpr_ros.training.teachers.several import SeveralTeachers
from tetra_vpr_ros.training.teachers.teacher import Teacher, TeacherError
from tetra_vpr_ros.training.teachers.vit import ViTTrunk
import torch

Kind: TypeAlias = Literal['resnet50', 'vit', 'dinov2', 'onnx', 'torchscript']


@dataclass(frozen=True)
class TeacherConfig:
    """
    Which teacher, and what is cached of it.

    :ivar kind: ``resnet50``, ``vit``, ``dinov2``, ``onnx`` or ``torchscript``.
    :ivar path: file; for ``dinov2`` a directory or a hub id.
    :ivar image_size: side of the square picture that it sees.
    :ivar dims: principal components kept of a patch token; 0 keeps all.
    :ivar views: pictures cached of each image: the whole, then random cuts.
    :ivar vit: shape of a ``vit``.
    :ivar attention_layers: whose attention is distilled; 0 caches none.
    :ivar temperature: of the attention.
    :ivar weight: of its tokens beside those of other teachers.
    :ivar beside: further teachers, whose tokens stand beside those of this one. They see the
        same picture; their own ``image_size``, ``dims`` and ``views`` do not count.
    """

    kind: Kind = 'resnet50'
    path: str = ''
    image_size: Count = 224
    dims: Natural = 256
    views: Count = 2
    vit: ViTConfig | None = None
    attention_layers: Natural = 0
    temperature: Positive = 4.0
    weight: NotNegative = 1.0
    beside: list[TeacherConfig] = field(default_factory=list)


def described(config: TeacherConfig) -> dict[str, object]:
    """Return what tells the outputs of one teacher from those of another, as JSON."""
    file = Path(config.path)
    return {'kind': config.kind, 'file': file.name,
            'bytes': file.stat().st_size if file.is_file() else None,
            'checksum': zlib.crc32(file.read_bytes()) if file.is_file() else None,
            'attention': [config.attention_layers, config.temperature], 'weight': config.weight,
            'vit': None if config.vit is None else asdict(config.vit),
            'beside': [described(other) for other in config.beside]}


def open_teacher(config: TeacherConfig) -> Teacher:
    """
    Open a teacher for inference.

    :raises TeacherError: it cannot be opened; the text names it.
    """
    if config.beside:
        all_of_them = [replace(config, beside=[]), *config.beside]
        return SeveralTeachers([open_teacher(replace(one, image_size=config.image_size))
                                for one in all_of_them], [one.weight for one in all_of_them])
    path = Path(config.path)
    if config.kind == 'dinov2':
        return DinoV2(config.path, config.attention_layers,
                      config.temperature).eval().requires_grad_(False)
    if not path.is_file():
        raise TeacherError(f'no such teacher file: {path}')
    if config.kind == 'resnet50':
        return ResNet50Trunk.load(path).to(memory_format=torch.channels_last)
    if config.kind == 'vit':
        vit = config.vit or ViTConfig(image_size=config.image_size)
        return ViTTrunk(path, vit, config.attention_layers,
                        config.temperature).eval().requires_grad_(False)
    if config.kind in ('onnx', 'torchscript'):
        return FileTeacher(path, (config.image_size, config.image_size))
    raise TeacherError(f'teacher kind {config.kind!r} is none of resnet50, vit, dinov2, onnx, '
                       'torchscript')
