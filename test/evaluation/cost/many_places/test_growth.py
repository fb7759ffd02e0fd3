# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from tetra_vpr_ros.evaluation import benchmark
from tetra_vpr_ros.evaluation.cost.many_places.cell_search import measure_cell_search


def test_cells_are_measured_against_a_flat_search(tmp_path):
    found = measure_cell_search(tmp_path, 20_000, 512, queries=20)
    assert found['recall_at_10'] == pytest.approx((found['same_side'] + found['other_side']) / 2)
    assert 0.8 < found['recall_at_10'] <= 1.0
    assert found['nearest'] > 0.9
    assert 0 < found['cells_ms'] <= found['cells_p95_ms']
    assert found['flat_ms'] > 0
    assert found['build_s'] > 0


@pytest.mark.processes
def test_the_figure_of_growth_is_drawn(tmp_path, monkeypatch, capsys):
    picture, numbers = tmp_path / 'growth.png', tmp_path / 'growth.json'
    monkeypatch.setattr('sys.argv', ['benchmark', '--growth', str(picture), '--most', '10000',
                                     '--bits', '256', '--json', str(numbers)])
    assert benchmark.main() == 0
    assert 'is drawn' in capsys.readouterr().out
    assert picture.read_bytes().startswith(b'\x89PNG')
    maps = json.loads(numbers.read_text())['maps']
    assert [found['places'] for found in maps] == [1000, 10_000]
    assert all(found['filters']['bayes']['frame_ms'] > 0 for found in maps)


def test_the_search_in_cells_and_the_start_have_options(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['benchmark', '--cells', '2000', '--bits', '128'])
    assert benchmark.main() == 0
    assert json.loads(capsys.readouterr().out)['places'] == 2000
    monkeypatch.setattr('sys.argv', ['benchmark', '--start', '--model', str(tmp_path / 'no')])
    assert benchmark.main() == 1
    assert 'no model file' in capsys.readouterr().err
