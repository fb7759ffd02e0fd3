# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.evaluation.cost.building import measure_building
from tiny_model import tiny_model

pytestmark = pytest.mark.processes


def test_a_map_is_built_and_timed(tmp_path):
    found = measure_building(tiny_model(tmp_path / 'tiny.onnx'), 1, 2, 0.005)
    assert min(found['images_per_s'], found['encoder_images_per_s']) > 0


def test_a_build_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr('tetra_vpr_ros.evaluation.cost.building.write_pictures',
                        lambda folder, count: None)
    with pytest.raises(RuntimeError, match='vpr_map import failed: .*'):
        measure_building(tiny_model(tmp_path / 'tiny.onnx'), 1, 2, 0.005)
