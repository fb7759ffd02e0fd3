# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.evaluation.cost.large_map import measure_large_map


@pytest.mark.large
def test_a_large_map_in_small(tmp_path):
    report = measure_large_map(tmp_path, 20_000, 512, ['single'])
    assert report['places_per_s'] > 10_000  # 80 000 on a free core
    assert 50 < report['extra_bytes'] < 120
    opened = report['filters']['single']
    assert 0 < opened['query_ms'] / 1e3 < opened['first_answer_s'] < 10
    assert opened['memory'] > 1
