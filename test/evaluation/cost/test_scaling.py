# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.evaluation.cost.scaling import draw_scaling, measure_scaling


@pytest.mark.processes
def test_cost_is_measured_over_tokens_bits_and_places(tmp_path):
    pytest.importorskip('torch', reason='networks of other shapes are exported by the training')
    report = measure_scaling(tmp_path, 1, 5, inputs=(112, 224), bits=(1024,),
                             places=(2000, 100_000))
    encoder = {(p['tokens'], p['bits'], p['format']): p for p in report['encoder']}
    small, large = encoder[65, 2048, 'packed-uint8'], encoder[257, 2048, 'packed-uint8']
    # How long each takes is for an idle machine to say; that each was measured, for this one.
    assert min(small['p50_ms'], large['p50_ms']) > 0
    assert encoder[257, 2048, 'float32']['file_mb'] > 10 * large['file_mb']
    assert (197, 1024, 'packed-uint8') in encoder
    search = {(p['places'], p['bits']): p['p50_ms'] for p in report['search']}
    assert set(search) == {(2000, 1024), (100_000, 1024)}
    assert min(search.values()) > 0
    draw_scaling(report, tmp_path / 'scaling.png')
    assert (tmp_path / 'scaling.png').stat().st_size > 10_000
