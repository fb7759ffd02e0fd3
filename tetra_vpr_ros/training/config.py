# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Training configurations: YAML files read into frozen dataclasses.

Every key is checked: an unknown one, a wrong type or an impossible value is
refused with its full name, such as ``distill.teacher.image_size``.
"""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass, field
import difflib
from pathlib import Path
import re
import types
from typing import Any, get_args, get_origin, get_type_hints, Literal, TypeVar, Union

from tetra_vpr_ros.training.data.place_sets import PlaceSetConfig
from tetra_vpr_ros.training.data.pool import HeldOut
from tetra_vpr_ros.training.network.place_network import NetworkConfig
from tetra_vpr_ros.training.network.ternary import Activations
from tetra_vpr_ros.training.onnx_export.graph import Format
from tetra_vpr_ros.training.structure.branch import BranchConfig
from tetra_vpr_ros.training.teachers.teachers import TeacherConfig
import yaml

T = TypeVar('T')


class ConfigError(ValueError):
    """A configuration that cannot be used; the text names file and key."""


@dataclass(frozen=True)
class OptimizerConfig:
    """
    AdamW, and how a run goes.

    :ivar learning_rate: of weights and biases.
    :ivar scale_learning_rate: of learned ternary scales.
    :ivar steps: updates of the weights; 0 follows from the epochs.
    :ivar epochs: passes over the images, where steps is 0.
    :ivar batch: images of an update, over all processes; in fine-tuning, places.
    :ivar accumulate: parts that a batch is cut into, one after another.
    :ivar warmup: updates.
    :ivar schedule: of the learning rate: ``constant``, ``cosine``, or ``linear``
        (constant, then falling to zero over the share ``decay`` at the end).
    :ivar bf16: compute in bfloat16 where that is safe and the machine has it.
    :ivar torch_compile: compile the network, which pays off after some minutes.
    """

    learning_rate: float = 8e-5
    scale_learning_rate: float = 1e-5
    weight_decay: float = 0.01
    beta2: float = 0.98
    clip: float = 1.0
    steps: int = 0
    epochs: float = 1.0
    batch: int = 16
    accumulate: int = 1
    warmup: int = 50
    schedule: Literal['constant', 'linear', 'cosine'] = 'linear'
    decay: float = 0.5
    bf16: bool = True
    torch_compile: bool = False
    save_every: int = 50
    validate_every: int = 500
    workers: int = 1


@dataclass(frozen=True)
class StartConfig:
    """
    Where the weights come from.

    :ivar trunk: pretrained float ViT, safetensors with timm's key names.
    :ivar model: a model file (``.onnx``) or checkpoint (``.pt``) of ours instead.
    :ivar compensate: round a trunk with error compensation, else to the nearest code.
    :ivar calibration: images for that, and four times as many for the heads.
    :ivar fit_head: set the descriptor's head by regression on the teacher's.
    """

    trunk: str = ''
    model: str = ''
    compensate: bool = True
    calibration: int = 96
    fit_head: bool = True


@dataclass(frozen=True)
class DistillLosses:
    """
    Weights of the terms of stage 1.

    :ivar class_token: TeTRA's class-token term (1 - cosine).
    :ivar patch: patch tokens (1 - cosine + 0.1 MSE), spatially aligned.
    :ivar attention: cross entropy of softened attention maps.
    :ivar descriptor: our own: the embedding regresses the teacher's tokens on
        the same grid, half whitened and rotated; needs the grid aggregation.
    """

    class_token: float = 1.0
    patch: float = 0.3
    attention: float = 0.05
    descriptor: float = 0.0


@dataclass(frozen=True)
class DistillConfig:
    """
    Stage 1: distillation without labels.

    :ivar images: folders of images, searched below; ``folder: n`` takes every n-th.
    :ivar q_schedule: of the progressive factor over the run: ``sigmoid``
        (``sigmoid(16 t - 6)``), ``linear``, ``cosine`` or ``none`` (1 throughout).
    :ivar clean_share: of student pictures whose light is not changed.
    :ivar cache: folder of the teacher's outputs; empty computes them as they are needed.
    """

    images: dict[str, int] = field(default_factory=dict)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    cache: str = ''
    start: StartConfig = field(default_factory=StartConfig)
    losses: DistillLosses = field(default_factory=DistillLosses)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    q_schedule: Literal['sigmoid', 'linear', 'cosine', 'none'] = 'sigmoid'
    clean_share: float = 0.2


@dataclass(frozen=True)
class FinetuneConfig:
    """
    Stage 2: place labels.

    :ivar places: data sets of places.
    :ivar start: where the weights come from; empty takes the run's own stage 1.
    :ivar views: pictures of a place in a batch.
    :ivar q_schedule: weight of the binary loss: ``(1 - q) float + q binary``.
    :ivar freeze_blocks: leading blocks that do not change.
    :ivar geometric: strength of the synthetic change of viewpoint, 0..1 of the side.
    :ivar clean_share: of pictures whose light is not changed.
    :ivar keep: weight of a term that keeps the embedding near the start's.
    """

    places: list[PlaceSetConfig] = field(default_factory=list)
    start: StartConfig = field(default_factory=StartConfig)
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=2e-5, batch=12))
    views: int = 3
    q_schedule: Literal['sigmoid', 'linear', 'cosine', 'none'] = 'sigmoid'
    freeze_blocks: int = 0
    geometric: float = 0.15
    clean_share: float = 0.3
    keep: float = 0.0


@dataclass(frozen=True)
class LabelledSetConfig:
    """
    Places whose pictures have label maps.

    :ivar places: the data set.
    :ivar labels: folder of label maps (PNG) with the same names.
    :ivar classes: class table: ``camvid``, ``worlds`` or a YAML file.
    """

    places: PlaceSetConfig = field(default_factory=PlaceSetConfig)
    labels: str = ''
    classes: str = 'camvid'


@dataclass(frozen=True)
class StructureConfig:
    """
    Structural knowledge from label maps (StructVPR), distilled in stage 2.

    :ivar sets: data sets with label maps.
    :ivar branch: shape of the structural branch.
    :ivar optimizer: of the branch.
    :ivar right: largest rank of the best positive that counts as right.
    :ivar weight: of the distillation in stage 2; 0 leaves it out.
    :ivar loss: ``feature`` (L2 of unit embeddings, after a projection that is thrown away) or
        ``relational`` (margins between best positive and hardest negative).
    :ivar control: ``true``, or what it must win against: ``shuffled`` (label maps of other
        pictures) or ``random`` (the same weights on other pictures).
    """

    sets: list[LabelledSetConfig] = field(default_factory=list)
    branch: BranchConfig = field(default_factory=BranchConfig)
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-3, batch=24, steps=400,
                                                save_every=100))
    right: int = 5
    weight: float = 0.0
    loss: Literal['feature', 'relational'] = 'relational'
    control: Literal['true', 'shuffled', 'random'] = 'true'


@dataclass(frozen=True)
class ValidationConfig:
    """
    The split that chooses between checkpoints; none of it is trained on.

    :ivar patterns: regular expressions of image names (``folder/file``).
    :ivar share: of all other images, chosen by a hash of the name.
    :ivar places: data sets of places that the patterns hold out.
    """

    patterns: list[str] = field(default_factory=list)
    share: float = 0.0
    places: list[PlaceSetConfig] = field(default_factory=list)

    def held_out(self) -> HeldOut:
        """Return the rule that tells the split from the rest."""
        return HeldOut(tuple(self.patterns), self.share)


@dataclass(frozen=True)
class ExportConfig:
    """
    The model file.

    :ivar weight_format: ``packed-uint8``, ``int2``, ``matmulnbits`` or ``float32``.
    :ivar activations: ``token`` as trained, or ``static``: faster, with ranges
        calibrated on images of stage 1.
    :ivar calibration: images for that.
    """

    out: str = ''
    weight_format: Format = 'packed-uint8'
    activations: Activations = 'token'
    calibration: int = 192
    name: str = ''
    version: str = '1'
    recipe: str = ''
    data: str = ''
    licence: str = 'unknown: the weights inherit the terms of the training data'


@dataclass(frozen=True)
class TrainConfig:
    """
    A whole training.

    :ivar run: folder of checkpoints and logs.
    """

    run: str = 'runs/train'
    seed: int = 0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    structure: StructureConfig = field(default_factory=StructureConfig)
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
    """YAML's float needs a dot; ``4e-4`` is meant as a number, too."""


_Loader.add_implicit_resolver(
    'tag:yaml.org,2002:float',
    re.compile(r'^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$'), list('-+0123456789.'))


def from_mapping(kind: type[T], data: Any, key: str = '') -> T:
    """
    Build a dataclass from parsed YAML.

    :param kind: the dataclass.
    :param data: a mapping.
    :param key: its full name, for errors.
    :raises ConfigError: a key is unknown or its value wrong; the key is named.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f'{key or "the file"} must be a mapping of keys, not {data!r}')
    hints = get_type_hints(kind)
    known = [entry.name for entry in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values = {}
    for name, value in data.items():
        full = f'{key}.{name}' if key else str(name)
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f'did you mean {near[0]!r}?' if near else f'there are: {", ".join(known)}'
            raise ConfigError(f'unknown key {full!r}; {hint}')
        values[name] = _convert(hints[name], value, full)
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:
        raise ConfigError(f'{key or "the file"}: {error}') from error


def _convert(hint: Any, value: Any, key: str) -> Any:
    """Check and convert a value to what the type hint of its key says."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return from_mapping(hint, value, key)  # type: ignore[arg-type]
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f'{key} must be one of {", ".join(map(str, arguments))}, '
                              f'not {value!r}')
        return value
    if origin in (Union, types.UnionType):
        errors = []
        for option in arguments:
            try:
                return _convert(option, value, key)
            except ConfigError as error:
                errors.append(str(error))
        raise ConfigError(errors[0])
    if origin is not None:
        return _convert_container(origin, arguments, value, key)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        names = {int: 'a whole number', float: 'a number', str: 'a text', bool: 'true or false',
                 type(None): 'empty'}
        raise ConfigError(f'{key} must be {names.get(hint, hint.__name__)}, not {value!r}')
    return value


def _convert_container(origin: Any, arguments: tuple[Any, ...], value: Any, key: str) -> Any:
    """Convert a list, tuple or mapping, and what it holds."""
    if origin in (list, tuple):
        if not isinstance(value, list):
            raise ConfigError(f'{key} must be a list, not {value!r}')
        if origin is tuple and len(value) != len(arguments):
            raise ConfigError(f'{key} must hold {len(arguments)} values, not {len(value)}')
        kinds = arguments if origin is tuple else [arguments[0]] * len(value)
        return origin(_convert(option, item, f'{key}[{i}]')
                      for i, (option, item) in enumerate(zip(kinds, value)))
    if not isinstance(value, Mapping):
        raise ConfigError(f'{key} must be a mapping, not {value!r}')
    return {_convert(arguments[0], k, key): _convert(arguments[1], v, f'{key}.{k}')
            for k, v in value.items()}
