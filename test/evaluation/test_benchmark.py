# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's command in small: few iterations, one baseline."""

import json
import subprocess
import sys

import pytest
from tetra_vpr_ros.evaluation import benchmark


def test_the_command_writes_what_scripts_read(tmp_path):
    out, table, document = (tmp_path / name for name in ('out.json', 'out.md', 'performance.md'))
    document.write_text('before\n<!-- end of benchmark -->\nafter\n')
    subprocess.run(
        [sys.executable, '-m', 'tetra_vpr_ros.evaluation.benchmark', '--iterations', '1',
         '--threads', '2', '--baselines', 'resnet18-512', '--places', '1000', '5000',
         '--json', str(out), '--markdown', str(table), '--update', str(document)], check=True)
    report = json.loads(out.read_text())
    assert report['default_format'] == 'packed-uint8'
    assert {'cpu', 'cores', 'flags', 'onnxruntime'} <= set(report['hardware'])
    rows = {row['name']: row for row in report['rows']}
    first = report['rows'][0]
    assert first['name'].startswith('tetra/packed-uint8@')
    assert 'resnet18-512/float32@320x320' in rows
    for row in rows.values():
        assert row['file_mb'] > 1
        assert 0 < row['p50_ms'] <= row['p95_ms'] <= row['p99_ms']
        assert row['images_per_s'] > 0
        assert row['cold_start_ms'] > 0
        assert row['added_rss_mb'] > 0
    assert first['file_mb'] < rows['resnet18-512/float32@320x320']['file_mb'] / 5
    assert [entry['places'] for entry in report['search']] == [1000, 5000]
    assert 0 < report['frame']['p50_ms'] <= report['frame']['p95_ms']
    assert report['preprocessing']['p50_ms'] < report['frame']['p50_ms']
    assert min(report['roofline'][key] for key in ('encoder_gops', 'gemm_gops')) > 0
    assert min(report['building'].values()) > 0
    assert report['profile'][0]['ms'] >= report['profile'][-1]['ms'] > 0
    text = table.read_text().strip()
    assert '| tetra/packed-uint8@' in text
    before, section, after = document.read_text().partition(text)
    assert before.startswith('before\n<!-- end of benchmark -->\n\n<!-- benchmark: ')
    assert section
    assert after.strip().endswith('after')


def test_without_onnx_the_command_says_what_to_install():
    done = subprocess.run(
        [sys.executable, '-c', 'import sys\n'
         'sys.modules["onnx"] = None\n'
         'from tetra_vpr_ros.evaluation import benchmark\n'
         'sys.exit(benchmark.main())\n'], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, (
        'benchmark needs further packages (onnx is missing): '
        "pip install 'tetra_vpr_ros[benchmark]'\n"))


def test_a_model_that_is_missing_is_told(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr('sys.argv', ['benchmark', '--model', str(tmp_path / 'none.onnx')])
    assert benchmark.main() == 1
    assert 'no model file' in capsys.readouterr().err


@pytest.mark.parametrize('arguments, says', [
    (['--iterations', '0'], '--iterations: it must be a whole number of at least 1'),
    (['--large-map', '1'], '--large-map: it must be a whole number of at least 1000'),
    (['--bits', '12'], '--bits must be a multiple of 8, not 12'),
    (['--update', 'nowhere.md'], '--update: there is no document nowhere.md')])
def test_what_cannot_be_measured_is_told_first(monkeypatch, capsys, arguments, says):
    monkeypatch.setattr('sys.argv', ['benchmark', *arguments])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert says in capsys.readouterr().err
