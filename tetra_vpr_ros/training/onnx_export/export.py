# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
A trained network as one ONNX file for stock onnxruntime.

Ternary weights are stored in two bits, four to a byte, and unpacked by standard
operators (opset 18) that the runtime folds once, when the session starts, into
int8 constants: a 2-bit file at int8 speed. The graph is written operator by
operator, so that it holds what is needed and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
import os
from pathlib import Path
from typing import Literal, TypeAlias

import onnx
from onnx import helper, TensorProto
from tetra_vpr_ros.training.config_keys import Count
from tetra_vpr_ros.training.network.place_network import network_entry, PlaceNetwork
from tetra_vpr_ros.training.network.ternary import Activations, Int8Linear, QuantizedLinear
from tetra_vpr_ros.training.network.vit import Block, ViTConfig
from tetra_vpr_ros.training.onnx_export.graph import (
    attention, byte_linear, CONTRIB, Format, fuses_attention, gelu, Graph, layer_norm, linear,
    PATCH_PROJECTION, quantised_from_zero, quantized_attention)
from tetra_vpr_ros.training.onnx_export.heads import aggregation, packed_signs, patch_tokens
from tetra_vpr_ros.vision.model_file import DESCRIPTOR_FORMAT, EXTERNAL_DATA
import torch
from torch import nn

# Opset 18 and IR 8 are the newest that runtimes of 2023 read; INT2 came with 25.
VERSIONS = {'int2': (25, 13)}
OLDEST = (18, 8)
PatchWeights: TypeAlias = Literal['half', 'int8']


@dataclass(frozen=True)
class ExportConfig:
    """
    The model file.

    :ivar weight_format: ``packed-uint8``, ``int2``, ``matmulnbits`` or ``float32``.
    :ivar patch_weights: of a patch embedding that was not quantised in training: ``half``
        precision, or ``int8``, which multiplies the pixels' own bytes (seven bits, a scale per
        channel; half as large, and neither a cast nor a convolution at run time).
    :ivar activations: ``token`` as trained, or ``static``: faster, with ranges
        calibrated on images of stage 1.
    :ivar calibration: images for that.
    :ivar name: in the file's metadata; empty takes the file's own, without its suffix.
    """

    out: str = ''
    weight_format: Format = 'packed-uint8'
    patch_weights: PatchWeights = 'half'
    activations: Activations = 'token'
    calibration: Count = 192
    name: str = ''
    version: str = '1'
    recipe: str = ''
    data: str = ''
    licence: str = 'unknown: the weights inherit the terms of the training data'

    def metadata(self, out: Path) -> dict[str, str]:
        """Return what the file ``out`` says of itself."""
        return {'name': self.name or out.stem, 'version': self.version,
                'recipe': self.recipe, 'data': self.data, 'licence': self.licence}


def _patches(g: Graph, network: PlaceNetwork, weights: PatchWeights) -> str:
    """Write normalisation and patch embedding; returns ``[N, rows*cols, C]``."""
    vit, projection = network.config.vit, network.backbone.patch_embed.proj
    name, patch = PATCH_PROJECTION, vit.patch_size
    rows, cols = vit.grid
    if weights == 'int8' and not isinstance(projection, QuantizedLinear):
        return _byte_patches(g, network)
    image = g.op('Cast', 'image', to=TensorProto.FLOAT)  # (N, H, W, 3)
    if isinstance(projection, QuantizedLinear):
        mean, std = network.normalise.mean.reshape(3), network.normalise.std.reshape(3)
        x = g.op('Div', g.op('Sub', image, g.single('pixel_mean', mean)),
                 g.single('pixel_std', std))
        x = g.op('Reshape', x, g.ints(-1, rows, patch, cols, patch, 3))
        x = g.op('Transpose', x, perm=[0, 1, 3, 5, 2, 4])
        x = g.op('Reshape', x, g.ints(-1, rows * cols, 3 * patch * patch))
        return linear(g, x, projection, name)
    kernel, shift = _pixel_kernel(network)
    x = g.op('Transpose', image, perm=[0, 3, 1, 2])
    # Kernels of raw pixels are small numbers: scaled up, they keep their digits in half precision.
    kernel16 = g.op('Mul', g.half(f'{name}.weight', kernel * 256), g.scalar(1 / 256))
    x = g.op('Conv', x, kernel16, g.single(f'{name}.bias', shift),
             strides=[patch, patch], kernel_shape=[patch, patch])
    x = g.op('Reshape', x, g.ints(0, vit.width, rows * cols))
    return g.op('Transpose', x, perm=[0, 2, 1])


def _pixel_kernel(network: PlaceNetwork) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Fold the normalisation into the kernels of the patch embedding: there is no padding.

    :returns: kernels of pixels 0..255, ``[C, 3, patch, patch]``, and their bias ``[C]``.
    """
    vit, projection = network.config.vit, network.backbone.patch_embed.proj
    kernel = projection.weight.detach().reshape(vit.width, 3, vit.patch_size, vit.patch_size)
    kernel = kernel / network.normalise.std
    return kernel, projection.bias.detach() - (kernel * network.normalise.mean).sum((1, 2, 3))


def _byte_patches(g: Graph, network: PlaceNetwork) -> str:
    """Write a patch embedding that multiplies bytes: pixels are quantised as they come."""
    vit, name = network.config.vit, PATCH_PROJECTION
    (rows, cols), patch = vit.grid, vit.patch_size
    kernel, shift = _pixel_kernel(network)
    x = g.op('Reshape', 'image', g.ints(-1, rows, patch, cols, 3 * patch))
    x = g.op('Transpose', x, perm=[0, 1, 3, 2, 4])
    x = g.op('Reshape', x, g.ints(-1, rows * cols, 3 * patch * patch))
    rounded = Int8Linear(3 * patch * patch, vit.width)
    rounded.weight.data = kernel.permute(0, 2, 3, 1).flatten(1)  # bytes: rows, cols, RGB
    return byte_linear(g, x, rounded, g.single(f'{name}.bias', shift), name)


def _block(g: Graph, x: str, block: Block, config: ViTConfig, name: str) -> str:
    normed = layer_norm(g, x, block.norm1, f'{name}.norm1')
    projection = block.attn.qkv
    if fuses_attention(g, projection):
        mixed = quantized_attention(g, normed, projection, config.heads, f'{name}.attn.qkv')
    else:
        qkv = linear(g, normed, projection, f'{name}.attn.qkv')
        width = config.width
        parts = [g.op('Slice', qkv, g.ints(i * width), g.ints((i + 1) * width), g.ints(2))
                 for i in range(3)]
        mixed = attention(g, *parts, config.heads, width)
    mixed = layer_norm(g, mixed, block.attn.norm, f'{name}.attn.norm')
    x = g.op('Add', x, linear(g, mixed, block.attn.proj, f'{name}.attn.proj'))
    normed = layer_norm(g, x, block.norm2, f'{name}.norm2')
    hidden = linear(g, normed, block.fc1, f'{name}.fc1')
    if config.nonlinearity == 'gelu':
        hidden = gelu(g, hidden)
    elif not (isinstance(block.norm3, nn.Identity) and quantised_from_zero(block.fc2)):
        hidden = g.op('Relu', hidden)
    hidden = layer_norm(g, hidden, block.norm3, f'{name}.norm3')
    return g.op('Add', x, linear(g, hidden, block.fc2, f'{name}.fc2'))


def build_onnx(network: PlaceNetwork, metadata: Mapping[str, str],
               weight_format: Format = 'packed-uint8',
               patch_weights: PatchWeights = 'half') -> onnx.ModelProto:
    """
    Write the network as an ONNX model.

    :param network: trained.
    :param metadata: name, version, recipe, data, licence; bits, input size,
        descriptor format and the network's configuration are added.
    :param weight_format: see `Graph`.
    :param patch_weights: see `ExportConfig`.
    :returns: a checked model, ``image`` uint8 ``[N, H, W, 3]`` to ``descriptor``
        uint8 ``[N, bits / 8]`` and, from a network with a head for them, ``tokens``
        uint8 ``[N, rows*cols, token_bits / 8]``.
    :raises ValueError: the head of the tokens is not fitted, or the metadata has the word by
        which files beside a model are told.
    """
    config, vit = network.config, network.config.vit
    height, width = vit.input_size
    for key, text in metadata.items():
        if EXTERNAL_DATA in text:
            raise ValueError(f"the metadata's {key} {text!r} has the word {EXTERNAL_DATA!r}: no "
                             'model file with it is opened, write it otherwise')
    g = Graph(weight_format)
    patches = _patches(g, network, patch_weights)
    count = g.op('Slice', g.op('Shape', 'image'), g.ints(0), g.ints(1), g.ints(0))
    first = g.half('backbone.cls_token', network.backbone.cls_token)
    first = g.op('Expand', first, g.op('Concat', count, g.ints(1, 1), axis=0))
    x = g.op('Add', g.op('Concat', first, patches, axis=1),
             g.half('backbone.pos_embed', network.backbone.pos_embed))
    for i, block in enumerate(network.backbone.blocks):
        x = _block(g, x, block, vit, f'backbone.blocks.{i}')
    tokens = layer_norm(g, x, network.norm, 'norm')
    embedding = aggregation(g, tokens, network.aggregation, vit.tokens, config.bits)
    packed_signs(g, embedding, (config.bits,), 'descriptor')
    outputs = {'descriptor': ['N', config.bits // 8]}
    token_entries = {}
    if network.token_head is not None:
        if not network.token_head.fitted:
            raise ValueError("the head of the patch tokens is not fitted: run 'train tokens'")
        shape = (vit.tokens, config.token_bits)
        packed_signs(g, patch_tokens(g, tokens, network.token_head, vit.tokens), shape, 'tokens')
        outputs['tokens'] = ['N', vit.tokens, config.token_bits // 8]
        token_entries = {'token_grid': '{}x{}'.format(*vit.grid),
                         'token_bits': str(config.token_bits)}
    graph = helper.make_graph(
        g.nodes, 'place_encoder',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, ['N', height, width, 3])],
        [helper.make_tensor_value_info(name, TensorProto.UINT8, shape)
         for name, shape in outputs.items()],
        list(g.initializers.values()))
    opset, ir_version = VERSIONS.get(weight_format, OLDEST)
    domains = [helper.make_opsetid('', opset)]
    if any(node.domain == CONTRIB for node in g.nodes):
        domains.append(helper.make_opsetid(CONTRIB, 1))
    model = helper.make_model(graph, ir_version=ir_version, producer_name='tetra_vpr_ros',
                              opset_imports=domains)
    helper.set_model_props(model, {
        **metadata, **token_entries, 'bits': str(config.bits), 'input_size': f'{height}x{width}',
        'descriptor_format': str(DESCRIPTOR_FORMAT),
        'format': weight_format, 'network': json.dumps(network_entry(config))})
    onnx.checker.check_model(model, full_check=True)
    return model


def export_model(network: PlaceNetwork, path: Path, metadata: Mapping[str, str],
                 weight_format: Format = 'packed-uint8',
                 patch_weights: PatchWeights = 'half') -> Path:
    """
    Write a model file, whole or not at all.

    :param network: trained.
    :param path: of the file; its folder is created.
    :param metadata: see `build_onnx`.
    :param weight_format: see `Graph`.
    :param patch_weights: see `ExportConfig`.
    :returns: the path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + '.tmp')
    onnx.save(build_onnx(network, metadata, weight_format, patch_weights), str(temporary))
    os.replace(temporary, path)
    return path
