# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.evaluation.cost.many_places.large_map import measure_large_map
from tetra_vpr_ros.evaluation.cost.many_places.made_up_way import MadeUpWay
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances


@pytest.mark.large
def test_a_large_map_in_small(tmp_path):
    report = measure_large_map(tmp_path, 60_000, 512, [('single', False), ('bayes', True)],
                               tokens=True)
    assert report['places_per_s'] > 0  # 9 000 on a busy machine
    assert 3136 < report['extra_bytes'] < 4500  # a page of SQLite holds the tokens of one place
    assert report['tokens_ms'] > 0
    assert 0 < report['tokens_disk_ms'] <= report['tokens_disk_p95_ms']
    for opened in report['filters'].values():
        assert min(opened['frame_ms'], opened['first_answer_s']) > 0
        assert opened['frame_ms'] <= opened['slowest_ms']
        assert opened['memory'] > 1
    assert set(report['filters']) == {'single', 'bayes with odometry'}


def test_made_up_views_lie_to_each_other_as_real_ones_do():
    way = MadeUpWay(1024)
    views = next(way.drive(1500))
    descriptors = way.descriptors(views)
    apart = hamming_distances(descriptors, descriptors) / 1024
    elsewhere = apart[np.triu_indices(1500, 100)]
    assert elsewhere.mean() == pytest.approx(0.455, abs=0.01)
    assert elsewhere.std() == pytest.approx(0.045, abs=0.008)
    assert np.diag(apart, 1).mean() == pytest.approx(0.23, abs=0.01)
    assert np.diag(apart, 2).mean() == pytest.approx(0.29, abs=0.02)
    again = hamming_distances(way.descriptors(way.again(views, 1)), descriptors) / 1024
    assert np.diag(again).mean() == pytest.approx(0.31, abs=0.01)
    longer = np.concatenate(list(way.drive(12_000)))
    assert len(longer) == 12_000
    assert np.array_equal(longer[:1500], views)
