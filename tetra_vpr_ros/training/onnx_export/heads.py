# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The heads in ONNX: from normalised tokens to the embedding, and to bits."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from tetra_vpr_ros.training.network.aggregation import (
    BinaryHead, BoQ, GeM, GridHead, MixVPR, Salad, VladHead)
from tetra_vpr_ros.training.network.token_head import TokenHead
from tetra_vpr_ros.training.onnx_export.graph import attention, Graph, layer_norm, linear
import torch
from torch import nn

NAME = 'aggregation'


def packed_signs(g: Graph, x: str, shape: tuple[int, ...], output: str) -> str:
    """
    Write an output that holds a bit for each number: whether it is positive.

    :param x: ``[N, *shape]``.
    :param shape: of what is packed; its last axis is a multiple of 8.
    :param output: name of the uint8 output ``[N, ..., shape[-1] / 8]``.
    """
    bits = g.op('Cast', g.op('Greater', x, g.constant('zero', np.array(0, np.float32))),
                to=TensorProto.FLOAT)
    octets = g.op('Reshape', bits, g.ints(0, *shape[:-1], shape[-1] // 8, 8))
    packed = g.op('MatMul', octets, g.constant('powers', 2.0 ** np.arange(8, dtype=np.float32)))
    return g.op('Cast', packed, output=output, to=TensorProto.UINT8)


def patch_tokens(g: Graph, tokens: str, head: TokenHead, count: int) -> str:
    """
    Write the head of the patch tokens.

    :param tokens: ``[N, 1 + count, C]``, normalised.
    :param head: of the network.
    :param count: patch tokens.
    :returns: ``[N, count, bits]``.
    """
    patches = g.op('Slice', tokens, g.ints(1), g.ints(count + 1), g.ints(1))
    weight = g.op('Transpose', g.half('token_head.weight', head.weight), perm=[1, 0])
    x = g.op('MatMul', patches, weight)
    return g.op('Sub', x, g.op('ReduceMean', x, g.ints(1), keepdims=1))


def aggregation(g: Graph, tokens: str, head: nn.Module, count: int, bits: int) -> str:
    """
    Write an aggregation.

    :param tokens: ``[N, 1 + count, C]``, normalised.
    :param head: of the network.
    :param count: patch tokens.
    :param bits: of the descriptor.
    :returns: the embedding ``[N, bits]``.
    """
    patches = g.op('Slice', tokens, g.ints(1), g.ints(count + 1), g.ints(1))
    if isinstance(head, GridHead):
        cells = g.op('MatMul', g.single('pool', head.pool), patches)
        x = linear(g, cells, head.project, f'{NAME}.project')
        x = g.op('Add', x, g.single(f'{NAME}.threshold', head.threshold))
        return g.op('Reshape', x, g.ints(0, bits))
    if isinstance(head, VladHead):
        return _vlad(g, patches, head)
    if isinstance(head, GeM):
        exponent = g.single(f'{NAME}.exponent', head.exponent)
        x = g.op('Pow', g.op('Max', patches, g.scalar(1e-6)), exponent)
        x = g.op('ReduceMean', x, g.ints(1), keepdims=0)
        return _binary_head(g, g.op('Pow', x, g.op('Div', g.scalar(1.0), exponent)), head.head)
    if isinstance(head, MixVPR):
        x = g.op('Transpose', patches, perm=[0, 2, 1])
        for i, mixer in enumerate(head.mixers):
            name = f'{NAME}.mixers.{i}'
            y = layer_norm(g, x, mixer.norm, f'{name}.norm')
            y = g.op('Relu', linear(g, y, mixer.fc1, f'{name}.fc1'))
            x = g.op('Add', x, linear(g, y, mixer.fc2, f'{name}.fc2'))
        x = linear(g, g.op('Transpose', x, perm=[0, 2, 1]), head.channel_projection,
                   f'{NAME}.channel_projection')
        x = linear(g, g.op('Transpose', x, perm=[0, 2, 1]), head.row_projection,
                   f'{NAME}.row_projection')
        return _binary_head(g, g.op('Flatten', x, axis=1), head.head)
    if isinstance(head, Salad):
        return _salad(g, tokens, patches, head)
    assert isinstance(head, BoQ)
    return _boq(g, patches, head)


def _binary_head(g: Graph, x: str, head: BinaryHead) -> str:
    x = layer_norm(g, x, head.norm, f'{NAME}.head.norm')
    return linear(g, x, head.project, f'{NAME}.head.project')


def _two_layers(g: Graph, x: str, layers: nn.Sequential, name: str) -> str:
    x = g.op('Relu', linear(g, x, layers[0], f'{name}.0'))
    return linear(g, x, layers[2], f'{name}.2')


def _unit(g: Graph, x: str) -> str:
    norm = g.op('ReduceL2', x, g.ints(-1), keepdims=1)
    return g.op('Div', x, g.op('Max', norm, g.scalar(1e-12)))


def _vlad(g: Graph, patches: str, head: VladHead) -> str:
    x = g.op('MatMul', patches,
             g.op('Transpose', g.half(f'{NAME}.reduce', head.reduce), perm=[1, 0]))
    x = g.op('Sub', x, g.op('ReduceMean', x, g.ints(1), keepdims=1))
    words = g.single(f'{NAME}.words', head.words)
    sharpness = g.single(f'{NAME}.sharpness', head.sharpness)
    half_square = g.single('half_square', (head.words ** 2).sum(1) / 2)
    scores = g.op('Sub', g.op('MatMul', x, g.op('Transpose', words, perm=[1, 0])), half_square)
    near = g.op('Softmax', g.op('Mul', scores, sharpness), axis=-1)
    summed = g.op('MatMul', g.op('Transpose', near, perm=[0, 2, 1]), x)
    count = g.op('Unsqueeze', g.op('ReduceSum', near, g.ints(1), keepdims=0), g.ints(2))
    apart = _unit(g, g.op('Sub', summed, g.op('Mul', count, words)))
    return linear(g, g.op('Flatten', apart, axis=1), head.project, f'{NAME}.project')


def _salad(g: Graph, tokens: str, patches: str, head: Salad) -> str:
    scores = _two_layers(g, patches, head.score, f'{NAME}.score')
    scores = g.op('Transpose', scores, perm=[0, 2, 1])  # (N, clusters, tokens)
    # A row of the dustbin's score, as long as the batch is.
    first = g.op('Slice', scores, g.ints(0), g.ints(1), g.ints(1))
    dustbin = g.op('Add', g.op('Mul', first, g.scalar(0.0)),
                   g.single(f'{NAME}.dustbin', head.dustbin))
    log = g.op('Concat', scores, dustbin, axis=1)
    share = torch.ones(head.clusters + 1)
    share[-1] = max(head.tokens - head.clusters, 1)
    log_share = g.single('log_share', (share / share.sum()).log()[:, None])
    log_token = g.single('log_token', -torch.tensor(float(head.tokens)).log())
    for _ in range(head.iterations):
        log = g.op('Sub', log, g.op('ReduceLogSumExp', log, g.ints(2), keepdims=1))
        log = g.op('Add', log, log_share)
        log = g.op('Sub', log, g.op('ReduceLogSumExp', log, g.ints(1), keepdims=1))
        log = g.op('Add', log, log_token)
    weights = g.op('Exp', g.op('Sub', log, log_token))
    weights = g.op('Slice', weights, g.ints(0), g.ints(head.clusters), g.ints(1))
    features = _two_layers(g, patches, head.features, f'{NAME}.features')
    clusters = g.op('Flatten', _unit(g, g.op('MatMul', weights, features)), axis=1)
    token = g.op('Squeeze', g.op('Slice', tokens, g.ints(0), g.ints(1), g.ints(1)), g.ints(1))
    token = _unit(g, _two_layers(g, token, head.token, f'{NAME}.token'))
    return _binary_head(g, g.op('Concat', clusters, token, axis=1), head.head)


def _multi_head(g: Graph, query: str, key: str, module: nn.MultiheadAttention, name: str) -> str:
    width = module.embed_dim
    stacked = g.op('Transpose', g.half(f'{name}.in_proj_weight', module.in_proj_weight),
                   perm=[1, 0])
    bias = g.half(f'{name}.in_proj_bias', module.in_proj_bias)
    parts = []
    for i, x in enumerate((query, key, key)):
        bounds = g.ints(i * width), g.ints((i + 1) * width)
        weight = g.op('Slice', stacked, *bounds, g.ints(1))
        parts.append(g.op('Add', g.op('MatMul', x, weight), g.op('Slice', bias, *bounds)))
    mixed = attention(g, *parts, module.num_heads, width)
    return linear(g, mixed, module.out_proj, f'{name}.out_proj')


def _boq(g: Graph, patches: str, head: BoQ) -> str:
    x = linear(g, patches, head.reduce, f'{NAME}.reduce')
    answers = []
    for i, block in enumerate(head.blocks):
        name = f'{NAME}.blocks.{i}'
        y = _multi_head(g, x, x, block.encoder_attention, f'{name}.encoder_attention')
        x = layer_norm(g, g.op('Add', x, y), block.encoder_norm1, f'{name}.encoder_norm1')
        y = g.op('Relu', linear(g, x, block.encoder_fc1, f'{name}.encoder_fc1'))
        y = linear(g, y, block.encoder_fc2, f'{name}.encoder_fc2')
        x = layer_norm(g, g.op('Add', x, y), block.encoder_norm2, f'{name}.encoder_norm2')
        q = g.half(f'{name}.queries', block.queries)
        y = _multi_head(g, q, q, block.self_attention, f'{name}.self_attention')
        q = layer_norm(g, g.op('Add', q, y), block.query_norm, f'{name}.query_norm')
        # One query of every image: the product below broadcasts over the batch.
        y = _multi_head(g, q, x, block.cross_attention, f'{name}.cross_attention')
        answers.append(layer_norm(g, y, block.out_norm, f'{name}.out_norm'))
    return _binary_head(g, g.op('Flatten', g.op('Concat', *answers, axis=1), axis=1), head.head)
