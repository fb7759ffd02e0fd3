# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import shutil

import numpy as np
import pytest
from tetra_vpr_ros.training.data.label_maps import read_label_map
from tetra_vpr_ros.training.train import main


def test_label_maps_from_an_onnx_model(rendered, tmp_path, capsys):
    onnx = pytest.importorskip('onnx', reason='makes a small model with onnx')
    helper = onnx.helper
    # Class 1 where the picture is brighter than its normalised middle, 0 elsewhere.
    graph = helper.make_graph(
        [helper.make_node('ReduceMean', ['image'], ['grey'], axes=[1], keepdims=1),
         helper.make_node('Neg', ['grey'], ['dark']),
         helper.make_node('Concat', ['dark', 'grey'], ['scores'], axis=1)], 'brightness',
        [helper.make_tensor_value_info('image', 1, [1, 3, 'h', 'w'])],
        [helper.make_tensor_value_info('scores', 1, [1, 2, 'h', 'w'])])
    model = tmp_path / 'bright.onnx'
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)],
                                ir_version=8), model)
    arguments = ['segment', '--model', str(model), '--images', str(rendered / 'views'), '--out',
                 str(tmp_path / 'maps')]
    assert main(arguments) == 0
    count = len(list((rendered / 'views').iterdir()))
    assert f'{count} new label maps' in capsys.readouterr().out
    labels = read_label_map(next((tmp_path / 'maps').glob('*.png')))
    assert labels.shape == (512, 512)
    assert set(np.unique(labels)) <= {0, 1}
    assert main(arguments) == 0
    assert ' 0 new label maps' in capsys.readouterr().out
    # Label maps among the pictures are none, and no two pictures share one.
    photos = tmp_path / 'photos'
    shutil.copytree(rendered / 'views', photos)
    inside = [*arguments[:4], str(photos), '--out', str(photos / 'labels')]
    for new in (count, 0):
        assert main(inside) == 0
        assert f' {new} new label maps' in capsys.readouterr().out
    first = min(photos.glob('*.*'))
    shutil.copy(first, first.with_suffix('.jpeg'))
    assert main(inside) == 1
    assert 'would have one label map' in capsys.readouterr().err
    broken = tmp_path / 'broken'
    broken.mkdir()
    (broken / 'a.jpg').write_bytes(b'broken')
    assert main([*arguments[:4], str(broken), '--out', str(tmp_path / 'none')]) == 1
    assert f'no picture below {broken} decodes' in capsys.readouterr().err
    (tmp_path / 'no.onnx').write_text('no model')
    assert main([*arguments[:2], str(tmp_path / 'no.onnx'), *arguments[3:]]) == 1
    assert 'no.onnx cannot be opened' in capsys.readouterr().err
