# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The field's usual networks, with random weights: only their speed and size matter.

Written as ONNX by hand, in the layouts that place recognition uses them in:
ResNet50 + GeM + FC-2048 (CosPlace, EigenPlaces), ResNet18 + GeM + FC-512, and a
ViT-B/14 (DINOv2's size).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnx
from onnx import helper, numpy_helper, TensorProto


class _Builder:

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._rng = np.random.default_rng(seed)
        self._count = 0

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        self._count += 1
        name = f'{kind.lower()}_{self._count}'
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: NDArray[np.generic]) -> str:
        self._count += 1
        name = f'c_{self._count}'
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def random(self, *shape: int, fan_in: int) -> str:
        values = self._rng.standard_normal(shape, np.float32) * np.float32((2 / fan_in) ** 0.5)
        return self.constant(values)

    def zeros(self, size: int) -> str:
        return self.constant(np.zeros(size, np.float32))

    def conv(self, x: str, inputs: int, outputs: int, kernel: int, stride: int = 1,
             relu: bool = True) -> str:
        """Convolve; the batch norm that follows it is folded in, as an export does."""
        pad = kernel // 2
        weight = self.random(outputs, inputs, kernel, kernel, fan_in=inputs * kernel**2)
        y = self.op('Conv', x, weight, self.zeros(outputs), kernel_shape=[kernel, kernel],
                    strides=[stride, stride], pads=[pad] * 4)
        return self.op('Relu', y) if relu else y

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        product = self.op('MatMul', x, self.random(inputs, outputs, fan_in=2 * inputs))
        return self.op('Add', product, self.zeros(outputs))

    def norm(self, x: str, width: int) -> str:
        return self.op('LayerNormalization', x, self.constant(np.ones(width, np.float32)),
                       self.zeros(width), axis=-1, epsilon=1e-6)

    def model(self, output: str, size: int, dims: int) -> onnx.ModelProto:
        graph = helper.make_graph(
            [*self.nodes, helper.make_node('Identity', [output], ['descriptor'])], 'baseline',
            [helper.make_tensor_value_info('image', TensorProto.FLOAT, ['N', 3, size, size])],
            [helper.make_tensor_value_info('descriptor', TensorProto.FLOAT, ['N', dims])],
            self.weights)
        return helper.make_model(graph, ir_version=8,
                                 opset_imports=[helper.make_opsetid('', 18)])


def _gem(b: _Builder, x: str, channels: int, dims: int) -> str:
    """Pool by the generalised mean, project, normalise."""
    x = b.op('Pow', b.op('Clip', x, b.constant(np.array(1e-6, np.float32))),
             b.constant(np.array(3.0, np.float32)))
    x = b.op('Flatten', b.op('GlobalAveragePool', x))
    x = b.op('Pow', x, b.constant(np.array(1 / 3, np.float32)))
    x = b.linear(x, channels, dims)
    norm = b.op('ReduceL2', x, b.constant(np.array([1], np.int64)), keepdims=1)
    return b.op('Div', x, norm)


def resnet(size: int, blocks: Sequence[int], bottleneck: bool, dims: int) -> onnx.ModelProto:
    """
    Build a ResNet with GeM and a projection.

    :param size: side of the input.
    :param blocks: of each stage.
    :param bottleneck: three convolutions a block (ResNet50), else two (ResNet18).
    :param dims: of the descriptor.
    """
    b = _Builder()
    x = b.conv('image', 3, 64, 7, 2)
    x = b.op('MaxPool', x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    inputs = 64
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        outputs = 4 * width if bottleneck else width
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            if bottleneck:
                y = b.conv(x, inputs, width, 1)
                y = b.conv(y, width, width, 3, stride)
                y = b.conv(y, width, outputs, 1, relu=False)
            else:
                y = b.conv(x, inputs, width, 3, stride)
                y = b.conv(y, width, width, 3, relu=False)
            if stride != 1 or inputs != outputs:
                x = b.conv(x, inputs, outputs, 1, stride, relu=False)
            x = b.op('Relu', b.op('Add', x, y))
            inputs = outputs
    return b.model(_gem(b, x, inputs, dims), size, dims)


def vit(size: int, patch: int = 14, width: int = 768, depth: int = 12, heads: int = 12
        ) -> onnx.ModelProto:
    """Build a ViT; its class token is the descriptor."""
    b = _Builder()
    grid, head_dim = size // patch, width // heads
    kernel = b.random(width, 3, patch, patch, fan_in=3 * patch**2)
    x = b.op('Conv', 'image', kernel, b.zeros(width), kernel_shape=[patch, patch],
             strides=[patch, patch])
    ints = {values: b.constant(np.array(values, np.int64)) for values in (
        (0, width, grid * grid), (0, 0, heads, head_dim), (0, 0, width), (0,), (1,))}
    x = b.op('Transpose', b.op('Reshape', x, ints[(0, width, grid * grid)]), perm=[0, 2, 1])
    # The first patch twice: as many tokens as with a class token.
    x = b.op('Concat', b.op('Slice', x, ints[(0,)], ints[(1,)], ints[(1,)]), x, axis=1)
    for _ in range(depth):
        normed = b.norm(x, width)
        parts = []
        for permutation in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):
            part = b.op('Reshape', b.linear(normed, width, width), ints[(0, 0, heads, head_dim)])
            parts.append(b.op('Transpose', part, perm=permutation))
        scale = b.constant(np.array(head_dim**-0.5, np.float32))
        scores = b.op('MatMul', b.op('Mul', parts[0], scale), parts[1])
        mixed = b.op('MatMul', b.op('Softmax', scores, axis=-1), parts[2])
        merged = b.op('Reshape', b.op('Transpose', mixed, perm=[0, 2, 1, 3]), ints[(0, 0, width)])
        x = b.op('Add', x, b.linear(merged, width, width))
        hidden = b.linear(b.norm(x, width), width, 4 * width)
        erf = b.op('Erf', b.op('Div', hidden, b.constant(np.array(2**0.5, np.float32))))
        hidden = b.op('Mul', b.op('Mul', hidden, b.op('Add', erf, b.constant(
            np.array(1.0, np.float32)))), b.constant(np.array(0.5, np.float32)))
        x = b.op('Add', x, b.linear(hidden, 4 * width, width))
    first = b.op('Slice', b.norm(x, width), ints[(0,)], ints[(1,)], ints[(1,)])
    return b.model(b.op('Squeeze', first, ints[(1,)]), size, width)


BASELINES: dict[str, Callable[[int], onnx.ModelProto]] = {
    'resnet50-2048': lambda size: resnet(size, (3, 4, 6, 3), True, 2048),
    'resnet18-512': lambda size: resnet(size, (2, 2, 2, 2), False, 512),
    'vit-b14': vit}


def write_baseline(name: str, size: int, folder: Path) -> Path:
    """
    Write a baseline in float32.

    :param name: one of `BASELINES`.
    :param size: side of the input.
    :param folder: of the file.
    """
    path = folder / f'{name}_{size}.onnx'
    onnx.save(BASELINES[name](size), str(path))
    return path


def quantize_baseline(path: Path, name: str, size: int) -> Path:
    """
    Quantise a baseline to int8 with onnxruntime's own tools, as a user would.

    Convolutions get static ranges (QDQ), matrix products dynamic ones.
    """
    import logging

    from onnxruntime import quantization

    out = path.with_name(f'{path.stem}_int8.onnx')
    # The tools tell through the root logger that the model was not pre-processed.
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        if name.startswith('vit'):
            quantization.quantize_dynamic(path, out, op_types_to_quantize=['MatMul'])
        else:
            quantization.quantize_static(path, out, _RandomImages(size))
    finally:
        logging.getLogger().setLevel(level)
    return out


class _RandomImages:
    """Calibration pictures; with random weights nothing better exists."""

    def __init__(self, size: int, count: int = 2) -> None:
        rng = np.random.default_rng(0)
        self._images = [rng.standard_normal((1, 3, size, size), np.float32)
                        for _ in range(count)]

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return {'image': self._images.pop()} if self._images else None
