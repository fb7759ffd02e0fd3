# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark in small: few iterations, one baseline."""

import json
import subprocess
import sys

import numpy as np
import pytest
from tetra_vpr_ros.evaluation import benchmark
from tetra_vpr_ros.evaluation.baselines import quantize_baseline, write_baseline
from tetra_vpr_ros.evaluation.large_map import measure_large_map
from tetra_vpr_ros.evaluation.roofline import operations, product_gops, ternary_products
from tetra_vpr_ros.vision import default_model_path


@pytest.mark.timeout(240)
def test_the_command_writes_what_scripts_read(tmp_path):
    out, table = tmp_path / 'out.json', tmp_path / 'out.md'
    subprocess.run(
        [sys.executable, '-m', 'tetra_vpr_ros.evaluation.benchmark', '--iterations', '3',
         '--threads', '2', '--baselines', 'resnet18-512', '--places', '1000', '5000',
         '--json', str(out), '--markdown', str(table)], check=True)
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
        assert row['cold_start_ms'] > row['p50_ms'] / 2
        assert row['added_rss_mb'] > 0
    assert first['file_mb'] < rows['resnet18-512/float32@320x320']['file_mb'] / 5
    assert [entry['places'] for entry in report['search']] == [1000, 5000]
    assert 0 < report['frame']['p50_ms'] <= report['frame']['p95_ms']
    assert report['preprocessing']['p50_ms'] < report['frame']['p50_ms']
    assert 0 < report['roofline']['encoder_gops'] < 2 * report['roofline']['gemm_gops']
    assert '| tetra/packed-uint8@' in table.read_text()


def test_baselines_have_the_sizes_of_their_names(tmp_path):
    path = write_baseline('resnet18-512', 64, tmp_path)
    int8 = quantize_baseline(path, 'resnet18-512', 64)
    assert 11.2e6 * 4 < path.stat().st_size < 12e6 * 4  # ResNet18's parameters
    assert int8.stat().st_size < path.stat().st_size / 3.5
    for file in (path, int8):
        session = benchmark.open_session(file, 1)
        answer = session.run(None, benchmark.random_input(session, 2))[0]
        assert answer.shape == (2, 512)
        assert np.isfinite(answer).all()


def test_products_of_the_shipped_model():
    products = ternary_products(default_model_path())
    assert sum(products.values()) == 32  # four a block
    assert all(m == 197 for m, _, _ in products)
    assert operations(products) == pytest.approx(2e-9 * 197 * 14_155_776)
    assert product_gops(products, 1, iterations=2) > 1


@pytest.mark.timeout(240)
def test_cost_grows_with_tokens_bits_and_places(tmp_path):
    pytest.importorskip('torch', reason='networks of other shapes are exported by the training')
    from tetra_vpr_ros.evaluation.scaling import draw_scaling, measure_scaling
    report = measure_scaling(tmp_path, 1, 5, inputs=(112, 224), bits=(1024, 4096),
                             places=(2000, 100_000))
    encoder = {(p['tokens'], p['bits'], p['format']): p for p in report['encoder']}
    small, large = encoder[65, 2048, 'packed-uint8'], encoder[257, 2048, 'packed-uint8']
    assert large['p50_ms'] > 1.5 * small['p50_ms']
    assert encoder[257, 2048, 'float32']['file_mb'] > 10 * large['file_mb']
    assert {(197, 1024, 'packed-uint8'), (197, 4096, 'packed-uint8')} <= set(encoder)
    search = {(p['places'], p['bits']): p['p50_ms'] for p in report['search']}
    assert search[100_000, 1024] > 5 * search[2000, 1024]
    draw_scaling(report, tmp_path / 'scaling.png')
    assert (tmp_path / 'scaling.png').stat().st_size > 10_000


def test_a_model_that_is_missing_is_told(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr('sys.argv', ['benchmark', '--model', str(tmp_path / 'none.onnx')])
    assert benchmark.main() == 1
    assert 'no model file' in capsys.readouterr().err


def test_a_large_map_in_small(tmp_path):
    report = measure_large_map(tmp_path, 20_000, 512, ['single'])
    assert report['places_per_s'] > 10_000  # 80 000 on a free core
    assert 50 < report['extra_bytes'] < 120
    opened = report['filters']['single']
    assert 0 < opened['query_ms'] / 1e3 < opened['first_answer_s'] < 10
    assert opened['memory'] > 1
