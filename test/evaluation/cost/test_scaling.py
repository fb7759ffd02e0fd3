# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.evaluation.cost.scaling import draw_scaling, measure_scaling


@pytest.mark.processes
def test_cost_grows_with_tokens_bits_and_places(tmp_path):
    pytest.importorskip('torch', reason='networks of other shapes are exported by the training')
    report = measure_scaling(tmp_path, 1, 5, inputs=(112, 224), bits=(1024,),
                             places=(2000, 100_000))
    encoder = {(p['tokens'], p['bits'], p['format']): p for p in report['encoder']}
    small, large = encoder[65, 2048, 'packed-uint8'], encoder[257, 2048, 'packed-uint8']
    assert large['p50_ms'] > 1.5 * small['p50_ms']
    assert encoder[257, 2048, 'float32']['file_mb'] > 10 * large['file_mb']
    assert (197, 1024, 'packed-uint8') in encoder
    search = {(p['places'], p['bits']): p['p50_ms'] for p in report['search']}
    assert search[100_000, 1024] > 5 * search[2000, 1024]
    draw_scaling(report, tmp_path / 'scaling.png')
    assert (tmp_path / 'scaling.png').stat().st_size > 10_000
