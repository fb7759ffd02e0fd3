# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A place encoder of a few operations, for tests of what surrounds one."""

import numpy as np
import pytest


def tiny_model(path, *, name='image', kind=None, shape=('N', 8, 8, 3),
               output='descriptor', drop=None, **metadata):
    """Write a small model that looks like a place encoder, but for what is asked."""
    onnx = pytest.importorskip('onnx', reason='makes small models with onnx')
    helper, kind = onnx.helper, kind or onnx.TensorProto.UINT8
    nodes = [helper.make_node('Flatten', [name], ['flat'], axis=1),
             helper.make_node('Slice', ['flat', 'from', 'to', 'axis'], [output])]
    constants = [onnx.numpy_helper.from_array(np.array([value]), label)
                 for label, value in (('from', 0), ('to', 32), ('axis', 1))]
    graph = helper.make_graph(
        nodes, 'tiny', [helper.make_tensor_value_info(name, kind, shape)],
        [helper.make_tensor_value_info(output, kind, ['N', 32])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    properties = {'name': 'tiny', 'version': '1', 'bits': '256', 'input_size': '8x8',
                  'descriptor_format': '1', **metadata}
    properties.pop(drop, None)
    helper.set_model_props(model, properties)
    onnx.save(model, str(path))
    return path
