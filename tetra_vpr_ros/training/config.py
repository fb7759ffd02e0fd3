# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A whole training: what each wing wants to know, composed, and read from a YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
import re
from typing import Any

from tetra_vpr_ros.training.config_keys import ConfigError, from_mapping
from tetra_vpr_ros.training.heads.tokens import TokenConfig
from tetra_vpr_ros.training.heads.words import WordConfig
from tetra_vpr_ros.training.loop.run_config import RunConfig
from tetra_vpr_ros.training.onnx_export.export import ExportConfig
from tetra_vpr_ros.training.stages.distill_config import DistillConfig
from tetra_vpr_ros.training.stages.finetune_config import FinetuneConfig
from tetra_vpr_ros.training.stages.interpolate import InterpolateConfig
from tetra_vpr_ros.training.structure.structure_config import StructureConfig
import yaml


@dataclass(frozen=True)
class TrainConfig(RunConfig):
    """A whole training: the run, and what each verb wants to know."""

    distill: DistillConfig = field(default_factory=DistillConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    structure: StructureConfig = field(default_factory=StructureConfig)
    words: WordConfig = field(default_factory=WordConfig)
    tokens: TokenConfig = field(default_factory=TokenConfig)
    interpolate: InterpolateConfig = field(default_factory=InterpolateConfig)
    export: ExportConfig = field(default_factory=ExportConfig)


def load_config(path: Path) -> TrainConfig:
    """
    Read a configuration.

    :raises ConfigError: the file cannot be read, or a key or value is wrong.
    """
    try:
        data = yaml.load(path.read_text(), _Loader)  # noqa: S506 - it is a SafeLoader
    except OSError as error:
        raise ConfigError(f'cannot read {path}: {error.strerror}') from error
    except yaml.YAMLError as error:
        raise ConfigError(f'{path} is not YAML: {error}') from error
    try:
        return from_mapping(TrainConfig, data if data is not None else {})
    except ConfigError as error:
        raise ConfigError(f'{path}: {error}') from error


class _Loader(yaml.SafeLoader):
    """YAML's float needs a dot; ``4e-4`` is meant as a number, too. No key may come twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse what PyYAML lets pass: of two sections of a name it keeps the last."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(
                problem=f'the key {twice[0]!r} comes twice', problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    'tag:yaml.org,2002:float',
    re.compile(r'^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$'), list('-+0123456789.'))
