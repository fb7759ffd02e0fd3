# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Damaged model files, loaded and run."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
import tempfile

from fuzz.mutation import damaged, NUMBERS, pick, WORDS
import numpy as np
import onnx
from tetra_vpr_ros.vision import ModelError, PlaceEncoder
from tiny_model import tiny_model

_OPERATORS = ('Flatten', 'Slice', 'Reshape', 'Concat', 'Cast', 'MatMul', 'Identity', 'Transpose',
              'Resize', 'Expand', 'Tile', 'Gather', 'If', 'Loop', 'Nothing')


@lru_cache(maxsize=1)
def whole() -> bytes:
    """Return a tiny sound model."""
    with tempfile.TemporaryDirectory() as folder:
        return Path(tiny_model(Path(folder) / 'tiny.onnx')).read_bytes()


def damage(rng: np.random.Generator) -> bytes:
    """Return a model with damaged bytes, or one that is well-formed and wrong."""
    if rng.integers(2):
        return damaged(rng, whole(), 2)
    model = onnx.load_from_string(whole())
    for _ in range(int(rng.integers(1, 3))):
        _change(rng, model)
    data = model.SerializeToString()
    return damaged(rng, data, 1) if rng.random() < 0.2 else data


def _change(rng: np.random.Generator, model: onnx.ModelProto) -> None:
    graph, kind = model.graph, rng.integers(8)
    size = int(pick(rng, (0, 1, -1, 2, 8, 31, 256, 10**6, 2**31, 2**40)))
    node = pick(rng, graph.node)
    if kind == 0:
        entry = pick(rng, model.metadata_props)
        entry.value = pick(rng, [w for w in WORDS if '\udcff' not in w] + [
            str(number) for number in NUMBERS] + ['8x8x8', '-8x8', '8x', '0x0', '100000x100000'])
    elif kind == 1:
        shape = pick(rng, [*graph.input, *graph.output]).type.tensor_type
        if rng.integers(4) and shape.shape.dim:
            pick(rng, shape.shape.dim).dim_value = size
        else:
            shape.elem_type = int(rng.integers(0, 24))
    elif kind == 2:
        node.op_type = pick(rng, _OPERATORS)
    elif kind == 3 and node.input:
        node.input[int(rng.integers(len(node.input)))] = pick(
            rng, ('image', 'flat', 'from', 'to', 'axis', 'descriptor', '', 'nothing'))
    elif kind == 4 and graph.initializer:
        constant = pick(rng, graph.initializer)
        kept = constant.name
        values = np.array([size] * int(rng.integers(0, 3)), np.int64)
        constant.CopyFrom(onnx.numpy_helper.from_array(
            values.astype(pick(rng, (np.int64, np.int32, np.float32, np.uint8))), kept))
        if rng.integers(3) == 0:
            constant.dims.append(size)
    elif kind == 5:
        node.attribute.append(onnx.helper.make_attribute('axis', size))
    elif kind == 6:
        model.opset_import[0].version = int(rng.integers(0, 40))
    else:
        graph.node.append(node)


def check(data: bytes, folder: Path) -> str:
    """Load a model and encode with it."""
    path = folder / 'model.onnx'
    path.write_bytes(data)
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    try:
        encoder = PlaceEncoder(path)
        batch = encoder.encode_batch([image, np.zeros((30, 20, 3), np.uint8)])
    except ModelError as told:
        error = str(told)
    else:
        error = ''
    if error:
        assert str(path) in error
        return 'told'
    assert batch.shape == (2, encoder.bits // 8)
    assert batch.dtype == np.uint8
    return 'fine'
