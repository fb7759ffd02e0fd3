# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
import platform
import subprocess
import sys

import cv2
import numpy as np
import onnx
import pytest
from tetra_vpr_ros.vision import (
    default_model_path, find_model, model_file, ModelError, PlaceEncoder, shipped_models)
from tiny_model import tiny_model


def bits_apart(a, b):
    return int(np.unpackbits(a ^ b).sum())


def test_shipped_model(encoder):
    path = default_model_path()
    assert path.stat().st_size <= 10e6
    info = encoder.info
    assert encoder.bits == info.bits <= 2048
    assert len(info.fingerprint) == 64
    assert info.name
    assert 'Apache-2.0' in info.licence  # a product may carry it


def test_shapes_and_packing(encoder, drive):
    images = [frame[2] for frame in drive[:3]]
    batch = encoder.encode_batch(images)
    assert batch.dtype == np.uint8
    assert batch.shape == (3, encoder.bits // 8)
    assert encoder.encode_batch([]).shape == (0, encoder.bits // 8)
    assert 0.3 < np.unpackbits(batch).mean() < 0.7  # bits carry information


def test_batch_equals_single_and_any_number_of_threads(encoder, drive):
    images = [frame[2] for frame in drive[:40:10]]
    batch = encoder.encode_batch(images)
    for threads in (1, 2):
        other = PlaceEncoder(threads=threads)
        for image, descriptor in zip(images, batch):
            assert bits_apart(other.encode(image), descriptor) <= encoder.bits * 0.005


def test_size_and_aspect_matter_little_and_place_matters_much(encoder, drive):
    image = drive[0][2]
    here = encoder.encode(image)
    for size in ((320, 240), (1280, 960), (640, 360)):
        resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        assert bits_apart(encoder.encode(resized), here) < encoder.bits * 0.12
    assert bits_apart(encoder.encode(drive[100][2]), here) > encoder.bits * 0.2


def test_tokens_come_with_the_descriptor_where_they_are_asked_for(encoder, drive):
    images = [frame[2] for frame in drive[:3]]
    both = encoder.encode_with_tokens(images)
    assert np.array_equal(both.descriptors, encoder.encode_batch(images))
    assert both.tokens.shape == (3, *encoder.info.token_shape) == (3, 196, 16)
    assert both.tokens.dtype == np.uint8
    bits = np.unpackbits(both.tokens, axis=2)
    assert 0.4 < bits.mean() < 0.6
    assert (np.abs(bits.mean((0, 1)) - 0.5) < 0.25).all()  # about the picture's own mean
    nothing = encoder.encode_with_tokens([])
    assert nothing.tokens.shape == (0, 196, 16)


def test_a_model_without_tokens_still_encodes(tmp_path):
    encoder = PlaceEncoder(tiny_model(tmp_path / 'tiny.onnx'))
    image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    both = encoder.encode_with_tokens([image])
    assert both.tokens is None
    assert np.array_equal(both.descriptors, encoder.encode_batch([image]))
    assert encoder.info.token_shape == (0, 0)


@pytest.mark.parametrize('bad', [
    np.zeros((10, 10), np.uint8), np.zeros((10, 10, 3), np.float32),
    np.zeros((0, 10, 3), np.uint8), np.zeros((10, 10, 4), np.uint8)])
def test_arrays_that_are_no_rgb_images_are_refused(encoder, bad):
    with pytest.raises(ValueError, match='RGB uint8'):
        encoder.encode(bad)


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(ModelError, match='nowhere.onnx'):
        PlaceEncoder(tmp_path / 'nowhere.onnx')
    text = tmp_path / 'text.onnx'
    text.write_text('not a model')
    with pytest.raises(ModelError, match='text.onnx'):
        PlaceEncoder(text)


def test_a_model_with_the_interface_is_accepted(tmp_path):
    encoder = PlaceEncoder(tiny_model(tmp_path / 'tiny.onnx'))
    image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    assert np.array_equal(encoder.encode(image), np.arange(32))
    assert encoder.info.licence == 'unknown'


@pytest.mark.parametrize('change, says', [
    ({'name': 'picture'}, "one input 'image'"), ({'kind': onnx.TensorProto.FLOAT}, 'uint8'),
    ({'shape': ('N', 8, 9, 3)}, r'\[N, 8, 8, 3\]'), ({'output': 'vector'}, "'descriptor'"),
    ({'drop': 'bits'}, "lacks 'bits'"), ({'drop': 'name'}, "lacks 'name'"),
    ({'bits': '512'}, r'\[N, 64\]'), ({'bits': 'many'}, 'malformed'), ({'bits': '12'}, '12 bits'),
    ({'input_size': '8'}, 'malformed'), ({'descriptor_format': '2'}, 'format 2'),
    ({'token_grid': '14', 'token_bits': '128'}, 'malformed'), ({'former': '{}'}, 'malformed'),
    ({'former': '[1]'}, 'no list of fingerprints'),
    ({'token_grid': '14x14'}, '14x14 tokens of 0 bits'),
    ({'token_grid': '2x2', 'token_bits': '12'}, 'multiple of 8'),
    ({'token_grid': '2x2', 'token_bits': '64'}, r"'tokens' of uint8 \[N, 4, 8\]")])
def test_a_model_of_another_interface_is_refused_with_the_difference(tmp_path, change, says):
    path = tiny_model(tmp_path / 'other.onnx', **change)
    with pytest.raises(ModelError, match=says) as caught:
        PlaceEncoder(path)
    assert 'other.onnx' in str(caught.value)


def test_the_graph_optimisation_hardly_changes_a_descriptor(encoder, drive):
    image = drive[3][2]
    plain = PlaceEncoder(optimization='disabled').encode(image)
    assert np.unpackbits(plain ^ encoder.encode(image)).mean() < 0.03
    with pytest.raises(ValueError, match='all, extended, basic, disabled'):
        PlaceEncoder(optimization='fast')


def test_a_shipped_model_is_found_by_its_name(tmp_path, monkeypatch):
    default = default_model_path()
    assert find_model(None) == find_model('') == find_model(default) == default
    assert shipped_models()[default.stem] == find_model(default.stem) == default
    assert PlaceEncoder(default.stem).info.path == default
    assert find_model('free') == shipped_models()[model_file.FREE_MODEL]
    assert 'research' in PlaceEncoder('tetra_vits8_2048').info.licence
    with pytest.raises(ModelError, match=rf'no model file another.*{default.stem}'):
        PlaceEncoder('another')
    monkeypatch.chdir(tmp_path)
    tiny_model(tmp_path / default.stem)  # what lies here goes first
    assert find_model(default.stem) == Path(default.stem)


def test_default_model_missing(monkeypatch):
    monkeypatch.setattr(model_file, 'DEFAULT_MODEL', 'none.onnx')
    with pytest.raises(ModelError, match=r'none\.onnx'):
        default_model_path()


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='only glibc keeps freed memory')
def test_what_unpacked_the_weights_is_given_back():
    """A session of the shipped model adds 28 MB of memory, not the 83 that its start takes."""
    code = """
from pathlib import Path
import cv2, onnxruntime
from tetra_vpr_ros.vision import PlaceEncoder
def resident():
    return int(Path('/proc/self/statm').read_text().split()[1]) * 4096 / 1e6
before = resident()
encoder = PlaceEncoder()
print(resident() - before)
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert 10 < float(done.stdout) < 60
