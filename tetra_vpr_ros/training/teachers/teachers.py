# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Full-precision teachers: networks that turn an image into a map of tokens.

All take uint8 RGB ``[B, H, W, 3]`` and do their own normalisation.
"""

from __future__ import annotations

from dataclasses import dataclass
import math
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from safetensors.torch import load_file
from tetra_vpr_ros.training.network.place_network import IMAGENET_MEAN, IMAGENET_STD
from tetra_vpr_ros.training.network.ternary import set_ternary_factor
from tetra_vpr_ros.training.network.vit import load_timm_trunk, TernaryViT, ViTConfig
import torch
from torch import nn
from torch.nn import functional as F

Kind: TypeAlias = Literal['resnet50', 'vit', 'dinov2', 'onnx', 'torchscript']


class TeacherError(RuntimeError):
    """A teacher that cannot be opened or does not yield a token map; the text names it."""


@dataclass
class TeacherOutput:
    """
    What a teacher says of a batch.

    :ivar patches: ``[B, rows*cols, patch_channels]``.
    :ivar grid: rows and columns.
    :ivar class_token: ``[B, class_channels]``, or None.
    :ivar attention: softmaxed, mean over the heads, of the last layers,
        ``[B, layers, 1 + rows*cols, 1 + rows*cols]``, or None.
    """

    patches: torch.Tensor
    grid: tuple[int, int]
    class_token: torch.Tensor | None = None
    attention: torch.Tensor | None = None


class Teacher(Protocol):
    """
    A teacher.

    :ivar patch_channels: of a patch token.
    :ivar class_channels: of the class token; 0 without one.
    :ivar attention_layers: whose attention it yields; 0 without any.
    """

    patch_channels: int
    class_channels: int
    attention_layers: int

    def __call__(self, image: torch.Tensor) -> TeacherOutput:
        """Return the tokens of uint8 RGB ``[B, H, W, 3]``."""


class _Bottleneck(nn.Module):
    """ResNet bottleneck with the stride in its first 1x1 convolution (Keras, v1)."""

    def __init__(self, inputs: int, width: int, stride: int, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = nn.Sequential(
            nn.Conv2d(inputs, 4 * width, 1, stride, bias=False),
            nn.BatchNorm2d(4 * width)) if project else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet50Trunk(nn.Module):
    """
    ResNet50 up to stage 4 (torchvision's ``layer3``), ImageNet weights of Keras.

    Stride 16, 1024 channels, no class token and no attention.
    """

    patch_channels = 1024
    class_channels = 0
    attention_layers = 0

    def __init__(self) -> None:
        """Create the layers; the weights come from `load`."""
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = self._stage(64, 64, 3, 1)
        self.layer2 = self._stage(256, 128, 4, 2)
        self.layer3 = self._stage(512, 256, 6, 2)
        self.register_buffer(
            'mean', torch.tensor([103.939, 116.779, 123.68]).reshape(1, 3, 1, 1), False)

    @staticmethod
    def _stage(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
        layers = [_Bottleneck(inputs, width, stride, True)]
        layers += [_Bottleneck(4 * width, width, 1, False) for _ in range(blocks - 1)]
        return nn.Sequential(*layers)

    @classmethod
    def load(cls, path: Path | str) -> ResNet50Trunk:
        """Read the trunk from a safetensors file, ready for inference."""
        trunk = cls()
        state = {key: value.float() for key, value in load_file(str(path)).items()}
        missing, unexpected = trunk.load_state_dict(state, strict=False)
        missing = [key for key in missing if not key.endswith('num_batches_tracked')]
        if missing or unexpected:
            raise ValueError(
                f'{path} is not a ResNet50 trunk: missing {missing[:3]}, '
                f'unexpected {unexpected[:3]}')
        return trunk.eval().requires_grad_(False)

    def forward(self, image: torch.Tensor) -> TeacherOutput:
        """Return the stage-4 feature map of uint8 RGB ``[B, H, W, 3]``."""
        x = image.permute(0, 3, 1, 2).flip(1).to(self.conv1.weight.dtype) - self.mean
        x = F.relu(self.bn1(self.conv1(x)))
        # Keras pads the pooling with zeros, which after a ReLU equals PyTorch's -inf padding.
        x = F.max_pool2d(x, 3, 2, 1)
        x = self.layer3(self.layer2(self.layer1(x)))
        return TeacherOutput(x.flatten(2).transpose(1, 2), tuple(x.shape[2:]))


def soft_attention(logits: list[torch.Tensor], temperature: float = 1.0) -> torch.Tensor:
    """
    Return the mean over heads of the attention at a temperature.

    :param logits: of each layer, ``[B, heads, N, N]``.
    :param temperature: divides the logits.
    :returns: ``[B, layers, N, N]``.
    """
    return torch.stack([(x.float() / temperature).softmax(-1).mean(1) for x in logits], dim=1)


class ViTTrunk(nn.Module):
    """A float ViT with timm's key names, such as DINOv2's layout with LayerScale."""

    def __init__(self, path: Path, config: ViTConfig, attention_layers: int = 4,
                 temperature: float = 4.0) -> None:
        """
        Read the trunk.

        :param path: safetensors.
        :param config: shape; precisions do not matter, all is computed in float.
        :param attention_layers: whose attention is yielded.
        :param temperature: of that attention.
        """
        super().__init__()
        self.vit = TernaryViT(config)
        load_timm_trunk(self.vit, load_file(str(path)))
        set_ternary_factor(self.vit, 0.0)
        self.norm = nn.LayerNorm(config.width, eps=1e-6, elementwise_affine=False)
        self.patch_channels = self.class_channels = config.width
        self.attention_layers, self.temperature = attention_layers, temperature
        self.register_buffer('mean', 255 * torch.tensor(IMAGENET_MEAN).reshape(3, 1, 1), False)
        self.register_buffer('std', 255 * torch.tensor(IMAGENET_STD).reshape(3, 1, 1), False)

    def forward(self, image: torch.Tensor) -> TeacherOutput:
        """Return the last block's normalised tokens."""
        x = (image.permute(0, 3, 1, 2).float() - self.mean) / self.std
        x = F.interpolate(x, self.vit.config.input_size, mode='bilinear', antialias=True)
        maps: list[torch.Tensor] = []
        tokens = self.norm(self.vit(x, maps, self.attention_layers))
        attention = soft_attention(maps, self.temperature) if maps else None
        return TeacherOutput(tokens[:, 1:], self.vit.config.grid, tokens[:, 0], attention)


class DinoV2(nn.Module):
    """DINOv2 through ``transformers``, from a local directory or a hub id."""

    def __init__(self, name: str, attention_layers: int = 4, temperature: float = 4.0) -> None:
        """
        Open the model.

        :raises TeacherError: transformers is missing or the model cannot be opened.
        """
        super().__init__()
        try:
            from transformers import AutoModel
        except ImportError as error:
            raise TeacherError(
                f'teacher {name!r} needs transformers: pip install transformers') from error
        try:
            self.model = AutoModel.from_pretrained(name, attn_implementation='eager')
        except (OSError, ValueError) as error:
            raise TeacherError(
                f'teacher {name!r} is neither a directory nor a model of the hub: {error}'
            ) from error
        config = self.model.config
        self.patch = int(config.patch_size)
        self.patch_channels = self.class_channels = int(config.hidden_size)
        self.attention_layers, self.temperature = attention_layers, temperature
        self.register_buffer('mean', 255 * torch.tensor(IMAGENET_MEAN).reshape(3, 1, 1), False)
        self.register_buffer('std', 255 * torch.tensor(IMAGENET_STD).reshape(3, 1, 1), False)

    def forward(self, image: torch.Tensor) -> TeacherOutput:
        """Return the last hidden state, the image cut to whole patches."""
        rows, cols = image.shape[1] // self.patch, image.shape[2] // self.patch
        image = image[:, :rows * self.patch, :cols * self.patch]
        x = (image.permute(0, 3, 1, 2).float() - self.mean) / self.std
        wanted = self.attention_layers > 0
        out = self.model(pixel_values=x, output_attentions=wanted)
        tokens = out.last_hidden_state
        attention = None
        if wanted:
            # transformers hands out probabilities: a temperature is a power of them.
            softened = [(a.float().clamp_min(1e-12).log() / self.temperature).softmax(-1).mean(1)
                        for a in out.attentions[-self.attention_layers:]]
            attention = torch.stack(softened, dim=1)
        return TeacherOutput(tokens[:, -rows * cols:], (rows, cols), tokens[:, 0], attention)


def _token_map(path: Path, result: torch.Tensor) -> TeacherOutput:
    """Accept ``[B, C, rows, cols]`` or ``[B, N, C]`` with a square, or 1 + a square, N."""
    if result.ndim == 4:
        return TeacherOutput(result.flatten(2).transpose(1, 2), tuple(result.shape[2:]))
    if result.ndim == 3:
        side = math.isqrt(result.shape[1])
        extra = result.shape[1] - side * side
        if extra in (0, 1):
            class_token = result[:, 0] if extra else None
            return TeacherOutput(result[:, extra:], (side, side), class_token)
    raise TeacherError(f'{path} yields shape {tuple(result.shape)}: a teacher yields a map '
                       '[B, C, rows, cols] or square tokens [B, N, C]')


class FileTeacher:
    """
    An ONNX or TorchScript file that yields a token map.

    Input: float ``[B, 3, H, W]``, normalised as ImageNet networks expect it, or
    uint8 ``[B, H, W, 3]`` where an ONNX file says so.
    """

    attention_layers = 0

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        """
        Open the file and try it once.

        :param path: ``.onnx``, or a TorchScript file.
        :param size: height and width of the images that it will get.
        :raises TeacherError: it cannot be opened, or what it yields is no token map.
        """
        self.path = path
        self._uint8 = False
        try:
            if path.suffix == '.onnx':
                import onnxruntime
                session = onnxruntime.InferenceSession(
                    str(path), providers=['CPUExecutionProvider'])
                entry = session.get_inputs()[0]
                self._uint8 = entry.type == 'tensor(uint8)'
                self._run = lambda x: torch.from_numpy(
                    session.run(None, {entry.name: x.numpy()})[0])
            else:
                module = torch.jit.load(str(path), map_location='cpu').eval()
                self._run = module
        except Exception as error:  # both runtimes raise their own kinds
            raise TeacherError(f'teacher {path} cannot be opened: {error}') from error
        out = self(torch.zeros(1, *size, 3, dtype=torch.uint8))
        self.patch_channels = out.patches.shape[2]
        self.class_channels = 0 if out.class_token is None else out.class_token.shape[1]

    def __call__(self, image: torch.Tensor) -> TeacherOutput:
        """Return the file's first output as tokens."""
        if not self._uint8:
            mean = 255 * torch.tensor(IMAGENET_MEAN).reshape(3, 1, 1)
            std = 255 * torch.tensor(IMAGENET_STD).reshape(3, 1, 1)
            image = (image.permute(0, 3, 1, 2).float() - mean) / std
        return _token_map(self.path, self._run(image))


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
    """

    kind: Kind = 'resnet50'
    path: str = ''
    image_size: int = 224
    dims: int = 256
    views: int = 2
    vit: ViTConfig | None = None
    attention_layers: int = 0
    temperature: float = 4.0


def open_teacher(config: TeacherConfig) -> Teacher:
    """
    Open a teacher for inference.

    :raises TeacherError: it cannot be opened; the text names it.
    """
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
