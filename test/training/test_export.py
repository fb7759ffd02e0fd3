# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from tetra_vpr_ros.training.distill import save_atomically
from tetra_vpr_ros.training.export import build_onnx, load_checkpoint, main
from tetra_vpr_ros.training.network import PlaceNetwork
from tetra_vpr_ros.vision import default_model_path, PlaceEncoder
import torch

METADATA = {'name': 'tiny', 'version': '1', 'recipe': 'none', 'data': 'none', 'licence': 'none'}


@pytest.fixture
def network(small_config):
    made = PlaceNetwork(small_config)
    with torch.no_grad():  # pictures differ: spread the embedding about zero
        image = torch.randint(0, 255, (32, 56, 56, 3), dtype=torch.uint8)
        made.threshold -= made(image).mean(0).reshape(made.threshold.shape)
    return made.eval()


def test_onnx_answers_as_pytorch_does(network, tmp_path, drive):
    path = tmp_path / 'tiny.onnx'
    onnx.save(build_onnx(network, METADATA), str(path))
    encoder = PlaceEncoder(path)
    images = np.stack([cv2.resize(frame[2], (56, 56), interpolation=cv2.INTER_AREA)
                       for frame in drive[::5]])
    with torch.no_grad():
        bits = (network(torch.from_numpy(images)) > 0).numpy()
    wanted = np.packbits(bits, axis=1, bitorder='little')  # bit i is bit i % 8 of byte i // 8
    flipped = np.unpackbits(encoder.encode_batch(list(images)) ^ wanted)
    assert flipped.mean() <= 0.005
    assert 0.1 < bits.mean() < 0.9


def test_the_shipped_file_multiplies_ternary_weights_as_integers(tmp_path):
    path = default_model_path()
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version <= 18
    assert all(not opset.domain for opset in model.opset_import)
    packed = sum(i.raw_data.__len__() for i in model.graph.initializer
                 if i.name.endswith('.packed'))
    weights = 4 * packed
    assert path.stat().st_size < 1.4 * weights / 4
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / 'optimized.onnx')
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    optimized = onnx.load(str(tmp_path / 'optimized.onnx'))
    kinds = {i.name: i.data_type for i in optimized.graph.initializer}
    products = [node for node in optimized.graph.node if 'MatMulInteger' in node.op_type]
    ternary_layers = sum(i.name.endswith('.packed') for i in model.graph.initializer)
    assert len(products) == ternary_layers
    assert all(kinds[node.input[1]] == onnx.TensorProto.INT8 for node in products)
    assert not any(node.op_type in ('BitShift', 'BitwiseAnd') for node in optimized.graph.node)


def test_export_command(network, tmp_path, monkeypatch, capsys):
    from dataclasses import asdict
    save_atomically({'network': network.state_dict(),
                     'config': {'network': asdict(network.config)}}, tmp_path / 'last.pt')
    restored = load_checkpoint(tmp_path / 'last.pt')
    assert restored.config == network.config
    out = tmp_path / 'models' / 'small.onnx'
    monkeypatch.setattr('sys.argv', ['export', '--checkpoint', str(tmp_path / 'last.pt'),
                                     '--out', str(out), '--version', '7'])
    main()
    assert 'MB' in capsys.readouterr().out
    info = PlaceEncoder(out).info
    assert (info.name, info.version, info.bits, info.height) == ('small', '7', 128, 56)
