# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from tetra_vpr_ros.evaluation.cost.start_up import measure_start
from tetra_vpr_ros.vision import default_model_path


@pytest.mark.processes
def test_a_start_is_told_in_stages():
    found = measure_start(default_model_path(), places=500, runs=1)
    stages = [found[name] for name in ('imports', 'session', 'map', 'first_frame')]
    assert all(seconds > 0 for seconds in stages)
    assert found['whole'] == pytest.approx(sum(stages))
    assert found['processor'] > 0


@pytest.mark.processes
def test_a_start_that_fails_is_told(monkeypatch):
    with pytest.raises(RuntimeError, match='no model file'):
        monkeypatch.setattr('tetra_vpr_ros.evaluation.cost.frame.write_line_map',
                            lambda path, *_: path.touch())
        monkeypatch.setattr('tetra_vpr_ros.vision.PlaceEncoder', lambda _: None)
        measure_start(Path('none.onnx'), runs=1)
