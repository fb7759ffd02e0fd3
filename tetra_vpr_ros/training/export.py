# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
A trained network as one ONNX file for stock onnxruntime.

Ternary weights are stored in two bits, four to a byte, and unpacked by standard
operators (opset 18) that the runtime folds once, when the session starts, into
int8 constants: a 2-bit file at int8 speed. The graph is written operator by
operator, so that it holds what is needed and nothing else.

Usage: ``python -m tetra_vpr_ros.training.export --checkpoint FILE --out FILE.onnx``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
from tetra_vpr_ros.training.network import NetworkConfig, PlaceNetwork
from tetra_vpr_ros.training.packing import pack_ternary
from tetra_vpr_ros.training.ternary import TernaryLinear
from tetra_vpr_ros.training.vit import Block, ViTConfig
from tetra_vpr_ros.vision.model_file import DESCRIPTOR_FORMAT
import torch
from torch import nn

OPSET = 18


class _Graph:
    """Collects nodes and initialisers; every method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._count = 0

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes) -> str:
        self._count += 1
        name = output or f'{kind.lower()}_{self._count}'
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def ints(self, *values: int) -> str:
        return self.constant('i_' + '_'.join(str(v).replace('-', 'm') for v in values),
                             np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        return self.constant(f'f_{value:g}'.replace('-', 'm').replace('.', 'p'),
                             np.array(value, np.float32))

    def half(self, name: str, value: torch.Tensor) -> str:
        """Store in half precision; the cast back is folded when the session starts."""
        stored = self.constant(name, value.detach().float().numpy().astype(np.float16))
        return self.op('Cast', stored, to=TensorProto.FLOAT)


def _layer_norm(g: _Graph, x: str, norm: nn.LayerNorm, name: str) -> str:
    return g.op('LayerNormalization', x, g.half(f'{name}.weight', norm.weight),
                g.half(f'{name}.bias', norm.bias), axis=-1, epsilon=norm.eps)


def _quantize_tokens(g: _Graph, x: str) -> tuple[str, str]:
    """
    Return activations as uint8 about 128, and their scale per token.

    x86 processors multiply unsigned by signed bytes; with signed activations
    onnxruntime falls back to a kernel that is many times slower. Sums of two
    products with ternary weights never saturate, with or without VNNI.
    """
    largest = g.op('ReduceMax', g.op('Abs', x), g.ints(-1), keepdims=1)
    scale = g.op('Mul', g.op('Max', largest, g.scalar(1e-5)), g.constant(
        'one_127th', np.array(1 / 127, np.float32)))
    shifted = g.op('Add', g.op('Round', g.op('Div', x, scale)), g.scalar(128.0))
    return g.op('Cast', shifted, to=TensorProto.UINT8), scale


def _ternary_linear(g: _Graph, quantized: tuple[str, str], layer: TernaryLinear,
                    name: str) -> str:
    codes = layer.codes().numpy().T  # [in, out]
    rows, cols = codes.shape
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
    weight_scale = g.constant(f'{name}.scale', scale.numpy())
    scaled = g.op('Mul', g.op('Mul', product, token_scale), weight_scale)
    return g.op('Add', scaled, g.half(f'{name}.bias', layer.bias))


def _gelu(g: _Graph, x: str) -> str:
    erf = g.op('Erf', g.op('Div', x, g.constant('sqrt2', np.array(2**0.5, np.float32))))
    return g.op('Mul', g.op('Mul', x, g.op('Add', erf, g.scalar(1.0))), g.scalar(0.5))


def _attention(g: _Graph, x: str, block: Block, config: ViTConfig, name: str) -> str:
    heads, head_dim = config.heads, config.width // config.heads
    qkv = _ternary_linear(g, _quantize_tokens(g, x), block.attn.qkv, f'{name}.qkv')
    parts = []
    for i, permutation in enumerate(([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])):
        part = g.op('Slice', qkv, g.ints(i * config.width), g.ints((i + 1) * config.width),
                    g.ints(2))
        part = g.op('Reshape', part, g.ints(0, 0, heads, head_dim))
        parts.append(g.op('Transpose', part, perm=permutation))
    q, k, v = parts
    scores = g.op('MatMul', g.op('Mul', q, g.scalar(head_dim**-0.5)), k)
    mixed = g.op('MatMul', g.op('Softmax', scores, axis=-1), v)
    merged = g.op('Reshape', g.op('Transpose', mixed, perm=[0, 2, 1, 3]),
                  g.ints(0, 0, config.width))
    return _ternary_linear(g, _quantize_tokens(g, merged), block.attn.proj, f'{name}.proj')


def build_onnx(network: PlaceNetwork, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """
    Write the network as an ONNX model.

    :param network: trained; its auxiliary teacher head is left out.
    :param metadata: name, version, recipe, data, licence; bits, input size and
        descriptor format are added.
    :returns: a checked model, ``image`` uint8 ``[N, H, W, 3]`` to ``descriptor``
        uint8 ``[N, bits / 8]``.
    """
    config, vit = network.config, network.config.vit
    size, grid, width = vit.image_size, vit.grid, vit.width
    g = _Graph()
    backbone = network.backbone
    # The normalisation is folded into the patch embedding: there is no padding.
    std, mean = network.std.reshape(1, 3, 1, 1), network.mean.reshape(1, 3, 1, 1)
    kernel = backbone.patch_embed.weight / std
    shift = backbone.patch_embed.bias - (kernel * mean).sum((1, 2, 3))
    x = g.op('Transpose', g.op('Cast', 'image', to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    # Kernels of raw pixels are small numbers: scaled up, they keep their digits in half precision.
    kernel16 = g.op('Mul', g.half('patch.kernel', kernel * 256), g.scalar(1 / 256))
    patches = g.op('Conv', x, kernel16, g.constant('patch.bias', shift.detach().numpy()),
                   strides=[vit.patch_size] * 2, kernel_shape=[vit.patch_size] * 2)
    patches = g.op('Transpose', g.op('Reshape', patches, g.ints(0, width, grid * grid)),
                   perm=[0, 2, 1])
    position = backbone.pos_embed
    patches = g.op('Add', patches, g.half('position', position[:, 1:]))
    count = g.op('Slice', g.op('Shape', 'image'), g.ints(0), g.ints(1), g.ints(0))
    first = g.half('class', backbone.cls_token + position[:, :1])
    first = g.op('Expand', first, g.op('Concat', count, g.ints(1, 1), axis=0))
    x = g.op('Concat', first, patches, axis=1)
    for i, block in enumerate(backbone.blocks):
        name = f'block{i}'
        normed = _layer_norm(g, x, block.norm1, f'{name}.norm1')
        x = g.op('Add', x, _attention(g, normed, block, vit, name))
        normed = _layer_norm(g, x, block.norm2, f'{name}.norm2')
        hidden = _ternary_linear(g, _quantize_tokens(g, normed), block.fc1, f'{name}.fc1')
        hidden = _gelu(g, hidden)
        x = g.op('Add', x, _ternary_linear(g, _quantize_tokens(g, hidden), block.fc2,
                                           f'{name}.fc2'))
    tokens = g.op('Slice', x, g.ints(1), g.ints(grid * grid + 1), g.ints(1))
    tokens = _layer_norm(g, tokens, network.norm, 'norm')
    cells = g.op('MatMul', g.constant('pool', network.pool.numpy()), tokens)
    embedding = g.op('Add', g.op('MatMul', cells, g.half('head', network.project.weight.T)),
                     g.constant('threshold', network.threshold.detach().numpy()))
    bits = g.op('Cast', g.op('Greater', embedding, g.constant('zero', np.array(0, np.float32))),
                to=TensorProto.FLOAT)
    octets = g.op('Reshape', bits, g.ints(0, config.bits // 8, 8))
    packed = g.op('MatMul', octets, g.constant('powers', 2.0 ** np.arange(8, dtype=np.float32)))
    g.op('Cast', packed, output='descriptor', to=TensorProto.UINT8)
    graph = helper.make_graph(
        g.nodes, 'place_encoder',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, ['N', size, size, 3])],
        [helper.make_tensor_value_info('descriptor', TensorProto.UINT8, ['N', config.bits // 8])],
        list(g.initializers.values()))
    # IR 8 is the newest that runtimes of 2023 read.
    model = helper.make_model(graph, ir_version=8, producer_name='tetra_vpr_ros',
                              opset_imports=[helper.make_opsetid('', OPSET)])
    helper.set_model_props(model, {
        **metadata, 'bits': str(config.bits), 'input_size': f'{size}x{size}',
        'descriptor_format': str(DESCRIPTOR_FORMAT)})
    onnx.checker.check_model(model, full_check=True)
    return model


def load_checkpoint(path: Path) -> PlaceNetwork:
    """Restore a network from a checkpoint of `distill`."""
    state = torch.load(path, weights_only=True, map_location='cpu')
    stored = dict(state['config']['network'])
    network = PlaceNetwork(NetworkConfig(**{**stored, 'vit': ViTConfig(**stored['vit'])}))
    network.load_state_dict(state['network'])
    return network.eval()


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--checkpoint', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--name', default='')
    parser.add_argument('--version', default='1')
    parser.add_argument('--recipe', default='distilled from a ResNet50 trunk')
    parser.add_argument('--data', default='see models/README.md')
    parser.add_argument('--licence', default='research only: inherited from the training data')
    args = parser.parse_args()
    model = build_onnx(load_checkpoint(args.checkpoint), {
        'name': args.name or args.out.stem, 'version': args.version, 'recipe': args.recipe,
        'data': args.data, 'licence': args.licence})
    args.out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(args.out))
    print(f'{args.out}: {args.out.stat().st_size / 1e6:.2f} MB')


if __name__ == '__main__':
    main()
