# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast the runtime multiplies int8 matrices of a model's sizes, and nothing else."""

from __future__ import annotations

from collections import Counter
import json
from pathlib import Path
import time

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import onnxruntime

Product = tuple[int, int, int]


def ternary_products(model: Path) -> Counter[Product]:
    """
    Return how often a packed model multiplies ``[m, k]`` by ternary ``[k, n]``.

    :param model: a file of the format ``packed-uint8``.
    :raises ValueError: the file holds no packed weights.
    """
    proto = onnx.load(str(model))
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    if 'network' in metadata:
        vit = json.loads(metadata['network'])['vit']
        size = vit['image_size']
        height, width = (size, size) if isinstance(size, int) else size
        tokens = 1 + (height // vit['patch_size']) * (width // vit['patch_size'])
    else:
        raise ValueError(f'{model} does not describe its network')
    # The head speaks once of a picture, a layer of a block once of each token.
    products = Counter((tokens if entry.name.startswith('backbone.') else 1,
                        4 * entry.dims[0], entry.dims[1])
                       for entry in proto.graph.initializer if entry.name.endswith('.packed'))
    if not products:
        raise ValueError(f'{model} holds no packed ternary weights')
    return products


def operations(products: Counter[Product]) -> float:
    """Return multiplications and additions, in units of 1e9."""
    return sum(2e-9 * m * k * n * count for (m, k, n), count in products.items())


def product_gops(products: Counter[Product], threads: int, iterations: int = 30) -> float:
    """
    Return the throughput of `MatMulInteger` alone on these sizes, in 1e9 operations a second.

    :param products: see `ternary_products`.
    :param threads: of one product.
    :param iterations: of each size; the median counts.
    """
    seconds = 0.0
    rng = np.random.default_rng(0)
    for (m, k, n), count in products.items():
        weight = numpy_helper.from_array(rng.integers(-1, 2, (k, n)).astype(np.int8), 'w')
        zero = numpy_helper.from_array(np.array(128, np.uint8), 'z')
        graph = helper.make_graph(
            [helper.make_node('MatMulInteger', ['x', 'w', 'z'], ['y'])], 'product',
            [helper.make_tensor_value_info('x', TensorProto.UINT8, [m, k])],
            [helper.make_tensor_value_info('y', TensorProto.INT32, [m, n])], [weight, zero])
        proto = helper.make_model(graph, ir_version=8,
                                  opset_imports=[helper.make_opsetid('', 18)])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            proto.SerializeToString(), options, providers=['CPUExecutionProvider'])
        x = {'x': rng.integers(0, 256, (m, k), dtype=np.uint8)}
        session.run(None, x)
        times = []
        for _ in range(iterations):
            began = time.perf_counter()
            session.run(None, x)
            times.append(time.perf_counter() - began)
        seconds += count * float(np.median(times))
    return operations(products) / seconds
