# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from tetra_vpr_ros.evaluation import trade_off
from tetra_vpr_ros.evaluation.trade_off import collect, main, TradeOff
from tiny_model import tiny_model


def results(recalls, ms=10.0, method='tiny'):
    return [{'method': method, 'filter': name, 'recall': {'1': recall},
             'latency_ms': {'p50': ms * (i + 1)}, 'bytes_per_place': 32 + 3136 * i}
            for i, (name, recall) in enumerate(zip(('single', 'single+tokens', 'bayes'), recalls))]


def test_sets_are_averaged_and_drawn(tmp_path, monkeypatch, capsys):
    files = [tmp_path / 'day.json', tmp_path / 'night.json']
    files[0].write_text(json.dumps(results((0.8, 0.9, 1.0))))
    files[1].write_text(json.dumps(results((0.4, 0.6, 1.0), 30.0)))
    assert collect(files) == [TradeOff('tiny', False, pytest.approx(60.0), 20.0, 32),
                              TradeOff('tiny', True, pytest.approx(75.0), 40.0, 3168)]
    model = tiny_model(tmp_path / 'tiny.onnx')
    monkeypatch.setattr(trade_off, 'find_model', lambda name: model)
    assert main([*map(str, files), '--out', str(tmp_path / 'models.png')]) == 0
    assert (tmp_path / 'models.png').read_bytes()[:4] == b'\x89PNG'
    assert '| tiny, second look | 0.0 | 3168 | 75.0 | 40 |' in capsys.readouterr().out


def test_sets_of_other_models_are_refused(tmp_path):
    files = [tmp_path / 'day.json', tmp_path / 'night.json']
    files[0].write_text(json.dumps(results((0.8, 0.9))))
    files[1].write_text(json.dumps(results((0.8, 0.9), method='other')))
    with pytest.raises(ValueError, match=r'night\.json holds'):
        collect(files)


def test_the_file_of_an_own_model_must_be_named(tmp_path, capsys):
    file = tmp_path / 'day.json'
    file.write_text(json.dumps(results((0.8, 0.9), method='warehouse')))
    out = tmp_path / 'models.png'
    assert main([str(file), '--out', str(out)]) == 1
    assert 'there is no file of warehouse: name it with --model' in capsys.readouterr().err
    model = tiny_model(tmp_path / 'warehouse.onnx')
    assert main([str(file), '--out', str(out), '--model', str(model)]) == 0
    assert out.exists()


@pytest.mark.parametrize('text, says', [
    ('{', "none that 'evaluate --json' wrote"), ('[{}]', "none that 'evaluate --json' wrote"),
    ('[]', "no rows of 'evaluate --filter single'"), (None, 'No such file')])
def test_a_file_of_something_else_is_named(tmp_path, capsys, text, says):
    file = tmp_path / 'day.json'
    if text is not None:
        file.write_text(text)
    assert main([str(file), '--out', str(tmp_path / 'new' / 'models.png')]) == 1
    said = capsys.readouterr().err
    assert says in said and str(file) in said
