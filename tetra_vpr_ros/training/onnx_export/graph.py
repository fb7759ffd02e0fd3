# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The layers of our networks, written operator by operator in ONNX.

Initialisers carry the names of the PyTorch parameters, so that a model file can
be read back into a network.
"""

from __future__ import annotations

from typing import get_args, Literal, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
from tetra_vpr_ros.training.network.packing import pack_ternary
from tetra_vpr_ros.training.network.ternary import Int8Linear, QuantizedLinear
import torch
from torch import nn

Format: TypeAlias = Literal['packed-uint8', 'int2', 'matmulnbits', 'float32']
FORMATS: tuple[str, ...] = get_args(Format)
CONTRIB = 'com.microsoft'
PATCH_PROJECTION = 'backbone.patch_embed.proj'


class Graph:
    """
    Collects nodes and initialisers; every method returns the name of its result.

    :param weight_format: how few-valued weights are stored: ``packed-uint8`` (2-bit
        codes, four to a byte), ``int2`` (ONNX's own 2-bit type), ``matmulnbits``
        (2-bit codes that stay packed in memory) or ``float32``.
    """

    def __init__(self, weight_format: Format = 'packed-uint8') -> None:
        """Start empty."""
        if weight_format not in FORMATS:
            raise ValueError(f'format must be one of {", ".join(FORMATS)}, not {weight_format!r}')
        self.format = weight_format
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
            self.initializers[name] = numpy_helper.from_array(np.asarray(value, order='C'), name)
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
        return quantized_linear(g, x, layer, name)
    assert isinstance(layer, nn.Linear)
    weight = g.op('Transpose', g.half(f'{name}.weight', layer.weight), perm=[1, 0])
    return g.op('Add', g.op('MatMul', x, weight), g.half(f'{name}.bias', layer.bias))


def quantized_linear(g: Graph, x: str, layer: QuantizedLinear, name: str) -> str:
    """
    Multiply 8-bit activations by few-valued weights, in the graph's format.

    In the integer formats the weight is int8 by the time that it is multiplied:
    the runtime folds what unpacks it when the session starts.
    """
    bias = g.half(f'{name}.bias', layer.bias)
    weight_scale = g.single(f'{name}.scale', _channel_scale(layer))
    if g.format in ('float32', 'matmulnbits'):
        product = _float_product(g, _quantize_and_back(g, x, layer, name), layer, name)
        return g.op('Add', product, bias)
    weight, offset = _int8_weight(g, layer, name)
    weight_zero = g.constant(f'weight_zero_{offset}', np.array(offset, np.int8))
    if layer.activations == 'static':
        step, zero = _static_range(g, layer, name)
        quantized = g.op('QuantizeLinear', x, step, zero)
        return g.op('MatMulIntegerToFloat', quantized, weight, step, weight_scale, zero,
                    weight_zero, bias, domain=CONTRIB)
    quantized, token_scale = quantize_tokens(g, x)
    zero_point = g.constant('zero_point', np.array(128, np.uint8))
    product = g.op('MatMulInteger', quantized, weight, zero_point, weight_zero)
    product = g.op('Cast', product, to=TensorProto.FLOAT)
    return g.op('Add', g.op('Mul', g.op('Mul', product, token_scale), weight_scale), bias)


def byte_linear(g: Graph, x: str, layer: Int8Linear, bias: str, name: str) -> str:
    """
    Multiply uint8 numbers, which mean themselves, by integer weights.

    :param x: uint8 ``[..., in]``.
    :param layer: its codes and scales are stored under ``name``, its bias is not.
    :param bias: float ``[out]``.
    """
    codes = g.constant(f'{name}.codes', layer.codes().cpu().numpy().T)
    scale = g.single(f'{name}.scale', _channel_scale(layer))
    if g.format not in ('packed-uint8', 'int2'):
        weight = g.op('Mul', g.op('Cast', codes, to=TensorProto.FLOAT), scale)
        return g.op('Add', g.op('MatMul', g.op('Cast', x, to=TensorProto.FLOAT), weight), bias)
    return g.op('MatMulIntegerToFloat', x, codes, g.constant('one', np.array(1, np.float32)),
                scale, g.constant('byte_zero', np.array(0, np.uint8)),
                g.constant('weight_zero_0', np.array(0, np.int8)), bias, domain=CONTRIB)


def quantize_tokens(g: Graph, x: str) -> tuple[str, str]:
    """
    Return activations as uint8 about 128, and their scale per token.

    x86 processors multiply unsigned by signed bytes; with signed activations
    onnxruntime falls back to a kernel that is many times slower. Sums of two
    products with weights of at most 63 never saturate, with or without VNNI.
    """
    rounded, scale = _rounded_tokens(g, x)
    return g.op('Cast', g.op('Add', rounded, g.scalar(128.0)), to=TensorProto.UINT8), scale


def _rounded_tokens(g: Graph, x: str) -> tuple[str, str]:
    largest = g.op('ReduceMax', g.op('Abs', x), g.ints(-1), keepdims=1)
    scale = g.op('Mul', g.op('Max', largest, g.scalar(1e-5)), g.constant(
        'one_127th', np.array(1 / 127, np.float32)))
    return g.op('Round', g.op('Div', x, scale)), scale


def _static_range(g: Graph, layer: QuantizedLinear, name: str) -> tuple[str, str]:
    zero = np.array(int(layer.input_zero_point), np.uint8)
    return (g.single(f'{name}.input_scale', layer.input_scale),
            g.constant(f'{name}.input_zero_point', zero))


def _quantize_and_back(g: Graph, x: str, layer: QuantizedLinear, name: str) -> str:
    """Round activations as the integer formats do, but stay in floating point."""
    if layer.activations == 'static':
        step, zero = _static_range(g, layer, name)
        return g.op('DequantizeLinear', g.op('QuantizeLinear', x, step, zero), step, zero)
    rounded, scale = _rounded_tokens(g, x)
    return g.op('Mul', rounded, scale)


def _int8_weight(g: Graph, layer: QuantizedLinear, name: str) -> tuple[str, int]:
    """
    Store the codes and unpack them to int8 ``[in, out]``.

    :returns: the weight, and which of its values means zero. Packed codes stay
        0..2: to subtract one would need 32-bit integers in old runtimes, and
        their arrays, four times as large, stay in memory after the start.
    """
    codes = layer.codes().cpu().numpy().T
    if isinstance(layer, Int8Linear):
        return g.constant(f'{name}.codes', codes), 0
    if g.format == 'int2':
        # Four codes to a byte, the first in the lowest bits.
        quads = (codes.reshape(-1, 4) & 3).astype(np.uint8)
        packed = quads[:, 0] | quads[:, 1] << 2 | quads[:, 2] << 4 | quads[:, 3] << 6
        g.initializers[f'{name}.int2'] = helper.make_tensor(
            f'{name}.int2', TensorProto.INT2, codes.shape, packed.tobytes(), raw=True)
        return g.op('Cast', f'{name}.int2', to=TensorProto.INT8), 0
    packed = g.constant(f'{name}.packed', pack_ternary(codes))
    spread = g.op('BitShift', g.op('Unsqueeze', packed, g.ints(1)),
                  g.constant('shifts', np.array([0, 2, 4, 6], np.uint8).reshape(1, 4, 1)),
                  direction='RIGHT')
    stored = g.op('BitwiseAnd', spread, g.constant('mask', np.array(3, np.uint8)))
    return g.op('Cast', g.op('Reshape', stored, g.ints(*codes.shape)), to=TensorProto.INT8), 1


def _channel_scale(layer: QuantizedLinear) -> torch.Tensor:
    """Return the weight scale of each output channel, ``[out]``."""
    cols = layer.weight.shape[0]
    return layer.scale().detach().float().cpu().expand(cols, 1).reshape(cols)


def _float_product(g: Graph, x: str, layer: QuantizedLinear, name: str) -> str:
    """Multiply by the weight in float32, or by its 2-bit codes in MatMulNBits."""
    codes, scale = layer.codes().cpu(), _channel_scale(layer)  # [out, in] and [out]
    cols, rows = codes.shape
    block = next((size for size in (128, 64, 32, 16) if rows % size == 0), 0)
    if g.format == 'float32' or isinstance(layer, Int8Linear) or not block:
        return g.op('MatMul', x, g.single(f'{name}.weight', (codes * scale[:, None]).T))
    # Codes are stored about 2, the operator's zero; the first of four in the lowest bits.
    quads = (codes.numpy() + 2).astype(np.uint8).reshape(cols, rows // block, block // 4, 4)
    packed = quads[..., 0] | quads[..., 1] << 2 | quads[..., 2] << 4 | quads[..., 3] << 6
    blocks = scale[:, None].expand(cols, rows // block)
    return g.op('MatMulNBits', x, g.constant(f'{name}.nbits', packed),
                g.single(f'{name}.blocks', blocks), domain=CONTRIB,
                K=rows, N=cols, bits=2, block_size=block)


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


def fuses_attention(g: Graph, layer: nn.Module) -> bool:
    """Tell whether `quantized_attention` can do this layer."""
    return (isinstance(layer, QuantizedLinear) and layer.activations == 'static'
            and g.format in ('packed-uint8', 'int2'))


def quantised_from_zero(layer: nn.Module) -> bool:
    """Tell whether a layer rounds its input to unsigned codes of zero and above: a ReLU."""
    return (isinstance(layer, QuantizedLinear) and layer.activations == 'static'
            and int(layer.input_zero_point) == 0)


def quantized_attention(g: Graph, x: str, layer: QuantizedLinear, heads: int, name: str) -> str:
    """Project to queries, keys and values and attend, in the runtime's one kernel for it."""
    cols = layer.weight.shape[0]
    step, zero = _static_range(g, layer, name)
    weight, offset = _int8_weight(g, layer, name)
    weight_zeros = g.constant(f'weight_zeros_{offset}_{cols}', np.full(cols, offset, np.int8))
    return g.op('QAttention', g.op('QuantizeLinear', x, step, zero), weight,
                g.half(f'{name}.bias', layer.bias), step,
                g.single(f'{name}.scale', _channel_scale(layer)), '', zero, weight_zeros,
                domain=CONTRIB, num_heads=heads)
