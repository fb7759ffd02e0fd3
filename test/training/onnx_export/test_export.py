# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from tetra_vpr_ros.training.loop.checkpoint import CheckpointError, load_network, save_atomically
from tetra_vpr_ros.training.network.aggregation import AggregationConfig, AGGREGATIONS
from tetra_vpr_ros.training.network.place_network import network_entry, NetworkConfig, PlaceNetwork
from tetra_vpr_ros.training.network.static_activations import static_network
from tetra_vpr_ros.training.network.vit import ViTConfig
from tetra_vpr_ros.training.onnx_export.export import build_onnx, export_model, ExportConfig
from tetra_vpr_ros.training.onnx_export.graph import FORMATS
from tetra_vpr_ros.vision import default_model_path, ModelError, PlaceEncoder
import torch

METADATA = {'name': 'tiny', 'version': '1', 'recipe': 'none', 'data': 'none', 'licence': 'none'}
PRECISIONS = [
    {}, {'scale_mode': 'channel', 'norm': 'bitnet', 'patch_precision': 'ternary'},
    {'scale_mode': 'tensor', 'patch_precision': 'int8', 'last_block_precision': 'float'},
    {'last_block_precision': 'int8', 'image_size': (56, 84)},
    {'nonlinearity': 'relu'}]


def pictures(drive, size):
    return np.stack([cv2.resize(frame[2], size[::-1], interpolation=cv2.INTER_AREA)
                     for frame in drive[::5]])


def bits_of(network, images):
    with torch.no_grad():
        # Pictures differ: spread the embedding about zero.
        return (network(torch.from_numpy(images)) > 0).numpy()


@pytest.mark.parametrize('kind', list(AGGREGATIONS))
@pytest.mark.parametrize('options', PRECISIONS, ids=lambda o: '-'.join(map(str, o.values())))
def test_onnx_answers_as_pytorch_does_and_is_read_back(kind, options, tmp_path, drive):
    vit = ViTConfig(**{'image_size': 56, 'width': 48, 'depth': 2, 'heads': 3, **options})
    config = NetworkConfig(vit, AggregationConfig(
        kind=kind, bits=128, rows=2, cols=2, precision='int8' if options else 'float'))
    network = PlaceNetwork(config).eval()
    path = export_model(network, tmp_path / 'models' / 'tiny.onnx', METADATA)
    encoder = PlaceEncoder(path)
    images = pictures(drive, vit.input_size)
    bits = bits_of(network, images)
    wanted = np.packbits(bits, axis=1, bitorder='little')  # bit i is bit i % 8 of byte i // 8
    flipped = np.unpackbits(encoder.encode_batch(list(images)) ^ wanted)
    assert flipped.mean() <= 0.005
    assert 0.1 < bits.mean() < 0.9
    restored = load_network(path)
    assert restored.config == config
    assert (bits_of(restored, images) != bits).mean() <= 0.005


@pytest.mark.parametrize('weight_format', ['packed-uint8', 'float32'])
def test_a_patch_embedding_of_bytes_is_half_as_large_and_is_read_back(weight_format, tmp_path,
                                                                      drive):
    vit = ViTConfig(image_size=(56, 84), width=48, depth=1, heads=3)
    network = PlaceNetwork(NetworkConfig(vit, AggregationConfig(rows=2, cols=2, bits=128))).eval()
    images = pictures(drive, vit.input_size)
    half = export_model(network, tmp_path / 'half.onnx', METADATA, weight_format)
    path = export_model(network, tmp_path / 'bytes.onnx', METADATA, weight_format, 'int8')
    saved = 48 * 588 - 48 * 4
    assert half.stat().st_size - path.stat().st_size == pytest.approx(saved, abs=600)
    assert 'Conv' not in {node.op_type for node in onnx.load(path).graph.node}
    # Seven bits of a weight are not sixteen: a few numbers near zero change their sign.
    flipped = np.unpackbits(PlaceEncoder(path).encode_batch(list(images))
                            ^ PlaceEncoder(half).encode_batch(list(images)))
    assert flipped.mean() < 0.02
    if weight_format == 'packed-uint8':
        again = export_model(load_network(path), tmp_path / 'again.onnx', METADATA,
                             patch_weights='int8')
        flipped = np.unpackbits(PlaceEncoder(path).encode_batch(list(images))
                                ^ PlaceEncoder(again).encode_batch(list(images)))
        assert flipped.mean() <= 0.005


@pytest.mark.parametrize('weight_format', FORMATS)
@pytest.mark.parametrize('activations, nonlinearity', [
    ('token', 'gelu'), ('static', 'gelu'), ('static', 'relu')])
def test_every_format_gives_the_same_descriptors(weight_format, activations, nonlinearity,
                                                 tmp_path, drive):
    vit = ViTConfig(image_size=56, width=48, depth=2, heads=3, nonlinearity=nonlinearity)
    network = PlaceNetwork(NetworkConfig(vit, AggregationConfig(rows=2, cols=2, bits=128),
                                         token_bits=64)).eval()
    network.token_head.weight.normal_()
    images = pictures(drive, (56, 56))
    if activations == 'static':
        network = static_network(network, torch.from_numpy(images[:10]))
        assert network.config.vit.activations == 'static'
    path = export_model(network, tmp_path / 'tiny.onnx', METADATA, weight_format)
    # Unsigned codes begin at zero behind a ReLU: the quantiser is one.
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert not kinds & {'Relu'}
    assert ('Erf' in kinds) == (nonlinearity == 'gelu')
    try:
        encoder = PlaceEncoder(path)
    except ModelError as error:
        if weight_format == 'int2':
            pytest.skip(f'this onnxruntime has no INT2: {error}')
        raise
    bits = bits_of(network, images)
    wanted = np.packbits(bits, axis=1, bitorder='little')
    found = encoder.encode_with_tokens(list(images))
    assert np.unpackbits(found.descriptors ^ wanted).mean() <= 0.005
    with torch.no_grad():
        tokens = network.token_head(network.tokens(torch.from_numpy(images))) > 0
    wanted = np.packbits(tokens.numpy(), axis=2, bitorder='little')
    assert found.tokens.shape == (len(images), 16, 8)
    assert np.unpackbits(found.tokens ^ wanted).mean() <= 0.005
    if weight_format == 'packed-uint8':
        restored = load_network(path)
        assert (bits_of(restored, images) != bits).mean() <= 0.005
        # The head is stored in half precision.
        assert torch.allclose(restored.token_head.weight, network.token_head.weight, rtol=1e-3)
    else:
        with pytest.raises(CheckpointError, match=f'stored as {weight_format}'):
            load_network(path)


def test_static_activations_are_close_to_those_of_each_token(small_config, drive):
    network = PlaceNetwork(small_config).eval()
    images = torch.from_numpy(pictures(drive, (56, 56)))
    static = static_network(network, images[::2])
    with torch.no_grad():
        cosine = torch.nn.functional.cosine_similarity(network(images), static(images))
    assert cosine.min() > 0.98
    with pytest.raises(ValueError, match='int3'):
        build_onnx(network, METADATA, 'int3')


def test_a_file_is_named_by_the_recipe_or_else_as_it_is_called():
    out = Path('models') / 'final.v2.onnx'
    assert ExportConfig(name='warehouse').metadata(out)['name'] == 'warehouse'
    assert ExportConfig().metadata(out)['name'] == 'final.v2'


def test_a_word_that_no_model_file_may_hold_is_refused_before_one_is_written(small_config,
                                                                             tmp_path):
    network = PlaceNetwork(small_config)
    with pytest.raises(ValueError, match="metadata's data 'photos of 40 locations'.*otherwise"):
        export_model(network, tmp_path / 'm.onnx', {**METADATA, 'data': 'photos of 40 locations'})
    assert not (tmp_path / 'm.onnx').exists()


def test_checkpoints_are_read_and_other_files_refused(small_config, tmp_path):
    network = PlaceNetwork(small_config)
    save_atomically({'network': network.state_dict(), 'config': network_entry(small_config)},
                    tmp_path / 'last.pt')
    restored = load_network(tmp_path / 'last.pt')
    assert restored.config == small_config
    assert torch.equal(restored.backbone.pos_embed, network.backbone.pos_embed)
    with pytest.raises(CheckpointError, match='no such checkpoint'):
        load_network(tmp_path / 'none.pt')
    for name in ('broken.pt', 'broken.onnx'):
        (tmp_path / name).write_bytes(b'nothing')
        with pytest.raises(CheckpointError, match=name):
            load_network(tmp_path / name)
    torch.save({'other': 1}, tmp_path / 'other.pt')
    with pytest.raises(CheckpointError, match=r'other\.pt holds no network'):
        load_network(tmp_path / 'other.pt')


@pytest.mark.parametrize('level', ['DISABLE_ALL', 'ENABLE_BASIC', 'ENABLE_EXTENDED',
                                   'ENABLE_ALL'])
def test_the_shipped_file_opens_at_every_optimisation_level(level):
    for threads in range(1, 5):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(
            onnxruntime.GraphOptimizationLevel, f'ORT_{level}')
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            str(default_model_path()), options, providers=['CPUExecutionProvider'])
    shape = session.get_inputs()[0].shape[1:]
    assert session.run(None, {'image': np.zeros((1, *shape), np.uint8)})[0].shape == (1, 256)


def test_the_shipped_file_multiplies_ternary_weights_as_integers(tmp_path):
    path = default_model_path()
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version <= 18
    assert {opset.domain for opset in model.opset_import} <= {'', 'com.microsoft'}
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
    products = [node for node in optimized.graph.node
                if node.op_type in ('MatMulInteger', 'MatMulIntegerToFloat', 'QAttention')]
    ternary_layers = sum(i.name.endswith('.packed') for i in model.graph.initializer)
    assert len(products) == ternary_layers
    assert all(kinds[node.input[1]] == onnx.TensorProto.INT8 for node in products)
    assert not any(node.op_type in ('BitShift', 'BitwiseAnd') for node in optimized.graph.node)


def test_the_shipped_file_can_be_trained_further(drive):
    network = load_network(default_model_path())
    vit = network.config.vit
    images = pictures(drive, vit.input_size)[:8]
    bits = bits_of(network, images)
    answers = PlaceEncoder().encode_batch(list(images))
    flipped = np.unpackbits(answers ^ np.packbits(bits, axis=1, bitorder='little')).mean()
    assert flipped <= 0.02
