# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The layers of our networks, written operator by operator in ONNX (opset 18).

Initialisers carry the names of the PyTorch parameters, so that a model file can
be read back into a network.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
from tetra_vpr_ros.training.packing import pack_ternary
from tetra_vpr_ros.training.ternary import Int8Linear, QuantizedLinear
import torch
from torch import nn


class Graph:
    """Collects nodes and initialisers; every method returns the name of its result."""

    def __init__(self) -> None:
        """Start empty."""
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._count = 0

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes) -> str:
        """Add an operator."""
        self._count += 1
        name = output or f'{kind.lower()}_{self._count}'
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        """Store an array, once under each name."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def ints(self, *values: int) -> str:
        """Store whole numbers, such as axes or a shape."""
        return self.constant('i_' + '_'.join(str(v).replace('-', 'm') for v in values),
                             np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        """Store a number."""
        name = f'f_{value:.9g}'.replace('-', 'm').replace('.', 'p').replace('+', '')
        return self.constant(name, np.array(value, np.float32))

    def single(self, name: str, value: torch.Tensor) -> str:
        """Store in single precision."""
        return self.constant(name, value.detach().float().cpu().numpy())

    def half(self, name: str, value: torch.Tensor) -> str:
        """Store in half precision; the cast back is folded when the session starts."""
        stored = self.constant(name, value.detach().float().cpu().numpy().astype(np.float16))
        return self.op('Cast', stored, to=TensorProto.FLOAT)


def layer_norm(g: Graph, x: str, norm: nn.Module, name: str) -> str:
    """Normalise the last axis; an ``nn.Identity`` does nothing."""
    if isinstance(norm, nn.Identity):
        return x
    assert isinstance(norm, nn.LayerNorm)
    return g.op('LayerNormalization', x, g.half(f'{name}.weight', norm.weight),
                g.half(f'{name}.bias', norm.bias), axis=-1, epsilon=norm.eps)


def linear(g: Graph, x: str, layer: nn.Module, name: str) -> str:
    """Apply a linear layer of any precision to the last axis."""
    if isinstance(layer, QuantizedLinear):
        return quantized_linear(g, quantize_tokens(g, x), layer, name)
    assert isinstance(layer, nn.Linear)
    weight = g.op('Transpose', g.half(f'{name}.weight', layer.weight), perm=[1, 0])
    return g.op('Add', g.op('MatMul', x, weight), g.half(f'{name}.bias', layer.bias))


def quantize_tokens(g: Graph, x: str) -> tuple[str, str]:
    """
    Return activations as uint8 about 128, and their scale per token.

    x86 processors multiply unsigned by signed bytes; with signed activations
    onnxruntime falls back to a kernel that is many times slower. Sums of two
    products with weights of at most 63 never saturate, with or without VNNI.
    """
    largest = g.op('ReduceMax', g.op('Abs', x), g.ints(-1), keepdims=1)
    scale = g.op('Mul', g.op('Max', largest, g.scalar(1e-5)), g.constant(
        'one_127th', np.array(1 / 127, np.float32)))
    shifted = g.op('Add', g.op('Round', g.op('Div', x, scale)), g.scalar(128.0))
    return g.op('Cast', shifted, to=TensorProto.UINT8), scale


def quantized_linear(g: Graph, quantized: tuple[str, str], layer: QuantizedLinear,
                     name: str) -> str:
    """
    Multiply quantised activations by quantised weights.

    Ternary codes are stored in two bits, four to a byte, and unpacked by
    operators that the runtime folds into one int8 constant.
    """
    codes = layer.codes().cpu().numpy().T  # [in, out]
    rows, cols = codes.shape
    if isinstance(layer, Int8Linear):
        weight = g.constant(f'{name}.codes', codes)
    else:
        packed = g.constant(f'{name}.packed', pack_ternary(codes))
        spread = g.op('BitShift', g.op('Unsqueeze', packed, g.ints(1)),
                      g.constant('shifts', np.array([0, 2, 4, 6], np.uint8).reshape(1, 4, 1)),
                      direction='RIGHT')
        stored = g.op('BitwiseAnd', spread, g.constant('mask', np.array(3, np.uint8)))
        stored = g.op('Cast', g.op('Reshape', stored, g.ints(rows, cols)), to=TensorProto.INT32)
        weight = g.op('Cast', g.op('Sub', stored, g.constant('one', np.array(1, np.int32))),
                      to=TensorProto.INT8)
    x, token_scale = quantized
    zero_point = g.constant('zero_point', np.array(128, np.uint8))
    product = g.op('Cast', g.op('MatMulInteger', x, weight, zero_point), to=TensorProto.FLOAT)
    scale = layer.scale().detach().float().expand(cols, 1).reshape(1, cols)
    scaled = g.op('Mul', g.op('Mul', product, token_scale), g.single(f'{name}.scale', scale))
    return g.op('Add', scaled, g.half(f'{name}.bias', layer.bias))


def gelu(g: Graph, x: str) -> str:
    """Apply the exact GELU, in the form that onnxruntime fuses."""
    erf = g.op('Erf', g.op('Div', x, g.constant('sqrt2', np.array(2**0.5, np.float32))))
    return g.op('Mul', g.op('Mul', x, g.op('Add', erf, g.scalar(1.0))), g.scalar(0.5))


def split_heads(g: Graph, x: str, heads: int, head_dim: int, transposed: bool = False) -> str:
    """Map ``[B, N, heads*head_dim]`` to ``[B, heads, N, head_dim]``, or its last two swapped."""
    x = g.op('Reshape', x, g.ints(0, 0, heads, head_dim))
    return g.op('Transpose', x, perm=[0, 2, 3, 1] if transposed else [0, 2, 1, 3])


def attention(g: Graph, q: str, k: str, v: str, heads: int, width: int) -> str:
    """Attend with queries, keys and values ``[B, N, width]``, before the output projection."""
    head_dim = width // heads
    q = g.op('Mul', split_heads(g, q, heads, head_dim), g.scalar(head_dim**-0.5))
    scores = g.op('MatMul', q, split_heads(g, k, heads, head_dim, transposed=True))
    mixed = g.op('MatMul', g.op('Softmax', scores, axis=-1), split_heads(g, v, heads, head_dim))
    return g.op('Reshape', g.op('Transpose', mixed, perm=[0, 2, 1, 3]), g.ints(0, 0, width))
