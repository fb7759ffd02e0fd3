# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Model files that were damaged, or made to do harm."""

import hashlib
from pathlib import Path
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from sample_data import ROOT
from tetra_vpr_ros.mapping import ModelMismatchError, PlaceMap
from tetra_vpr_ros.vision import default_model_path, ModelError, PlaceEncoder
from tiny_model import tiny_model

# In a process of its own, so that a crash of the runtime is seen and not shared.
FLIPPING = """
import sys
import numpy as np
from tetra_vpr_ros.vision import ModelError, PlaceEncoder
whole, path, rounds, seed = open(sys.argv[1], 'rb').read(), sys.argv[2], *map(int, sys.argv[3:])
rng = np.random.default_rng(seed)
image = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
wanted, told = PlaceEncoder(sys.argv[1]).info.fingerprint, 0
for _ in range(rounds):
    data = bytearray(whole)
    for at in rng.integers(0, len(data), rng.integers(1, 4)):
        data[at] ^= 1 << int(rng.integers(8))
    open(path, 'wb').write(data)
    try:
        encoder = PlaceEncoder(path)
        assert encoder.info.fingerprint != wanted
        descriptor = encoder.encode(image)
        assert descriptor.shape == (encoder.bits // 8,) and descriptor.dtype == np.uint8
    except ModelError:
        told += 1
print(told)
"""


@pytest.mark.parametrize('shipped, rounds', [(False, 500), (True, 20)])
def test_flipped_bytes_are_an_error_or_another_fingerprint(tmp_path, shipped, rounds, seed):
    whole = default_model_path() if shipped else tiny_model(tmp_path / 'whole.onnx')
    done = subprocess.run(
        [sys.executable, '-c', FLIPPING, str(whole), str(tmp_path / 'flipped.onnx'),
         str(rounds), str(seed)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if not shipped:  # most of the shipped file is weights
        assert int(done.stdout.splitlines()[-1]) > rounds / 5


def test_a_map_refuses_a_damaged_model(map_file, tmp_path):
    """A flip in the weights is no error to the runtime; the fingerprint tells it."""
    path = tmp_path / 'damaged.onnx'
    data = bytearray(default_model_path().read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with PlaceMap.open_file(map_file) as opened, pytest.raises(ModelMismatchError):
        opened.require_model(PlaceEncoder(path).info)


def test_what_was_read_once_is_what_is_named_and_run(tmp_path, monkeypatch):
    """A file that is replaced while it is opened cannot run under another's fingerprint."""
    path = tiny_model(tmp_path / 'replaced.onnx')
    wanted, read = hashlib.sha256(path.read_bytes()).hexdigest(), Path.read_bytes

    def then_gone(self):
        data = read(self)
        self.unlink()
        return data

    monkeypatch.setattr(Path, 'read_bytes', then_gone)
    encoder = PlaceEncoder(path)
    assert encoder.info.fingerprint == wanted
    image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    assert np.array_equal(encoder.encode(image), np.arange(32))


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    path = tiny_model(tmp_path / 'locked.onnx')

    def refused(self):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(Path, 'read_bytes', refused)
    with pytest.raises(ModelError, match=r'locked\.onnx cannot be read: .*Permission denied'):
        PlaceEncoder(path)


@pytest.mark.parametrize('form', ['empty', "onnxruntime's own"])
def test_other_formats_are_refused(tmp_path, form):
    path = tmp_path / 'other.onnx'
    path.touch()
    if form != 'empty':
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(path)
        options.add_session_config_entry('session.save_model_format', 'ORT')
        onnxruntime.InferenceSession(str(tiny_model(tmp_path / 'tiny.onnx')), options,
                                     providers=['CPUExecutionProvider'])
        assert path.stat().st_size > 500
    with pytest.raises(ModelError, match=r'other\.onnx is not a model'):
        PlaceEncoder(path)


def external(path, location):
    """Move the constants of a model to another file."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.ClearField('raw_data')
        for key, value in (('location', location), ('offset', '0'), ('length', '8')):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    onnx.save(model, path)


@pytest.mark.parametrize('location', ['../secret.bin', '/etc/passwd', 'beside.bin'])
def test_data_in_other_files_is_never_read(tmp_path, location):
    folder = tmp_path / 'model'
    folder.mkdir()
    for file in (tmp_path / 'secret.bin', folder / 'beside.bin'):
        file.write_bytes(bytes(64))
    path = tiny_model(folder / 'hostile.onnx')
    external(path, location)
    with pytest.raises(ModelError, match=r'hostile\.onnx refers to data in other files'):
        PlaceEncoder(path)


def test_a_model_for_one_image_at_a_time_is_refused(tmp_path):
    path = tiny_model(tmp_path / 'fixed.onnx')
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r'fixed\.onnx encodes 1 images at a time.*free first'):
        PlaceEncoder(path)


def test_operators_of_other_libraries_are_not_run(tmp_path):
    path = tiny_model(tmp_path / 'hostile.onnx')
    model = onnx.load(path)
    model.graph.node[0].domain = 'com.example.evil'
    model.opset_import.append(onnx.helper.make_opsetid('com.example.evil', 1))
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r'hostile\.onnx'):
        PlaceEncoder(path)


def test_a_model_that_fails_while_it_runs_names_itself(tmp_path):
    path = tiny_model(tmp_path / 'failing.onnx')
    model = onnx.load(path)
    axis = next(t for t in model.graph.initializer if t.name == 'axis')
    shape = onnx.helper.make_node('Reshape', ['flat', 'shape'], ['shaped'])
    model.graph.node.insert(1, shape)
    model.graph.node[2].input[0] = 'shaped'
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1, 191]), 'shape'))
    assert axis.name
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r'failing\.onnx cannot encode'):
        PlaceEncoder(path).encode(np.zeros((8, 8, 3), np.uint8))
