# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.evaluation.cost.networks.models import Row
from tetra_vpr_ros.evaluation.cost.networks.operators import OperatorCost
from tetra_vpr_ros.evaluation.cost.report import (
    BY_PROCESSOR, by_processor, Report, update_document)


def report_of(cpu, encoder_ms=20.0):
    rows = [Row(f'{name}@{size}x{size}', '', '', 1.0, p50_ms=ms) for name, size, ms in (
        ('tetra/packed-uint8', 196, encoder_ms), ('tetra/float32', 196, 3 * encoder_ms),
        ('resnet50-2048/float32', 320, 5 * encoder_ms), ('resnet50-2048/float32', 196, 1.0))]
    return Report(
        {'cpu': cpu, 'cores': 2, 'threads': 1, 'flags': 'avx2', 'onnxruntime': '1'},
        'packed-uint8', rows, preprocessing={'p50_ms': 1.0},
        frame={'p50_ms': 1.5 * encoder_ms, 'p95_ms': 2 * encoder_ms},
        roofline={'gemm_gops': 200.0, 'encoder_gops': 150.0},
        building={'images_per_s': 45.0, 'encoder_images_per_s': 50.0, 'places': 900},
        profile=[OperatorCost('Gelu', 8, 2.0), OperatorCost('Add', 3, 0.5)])


def test_a_machine_is_one_line_of_ratios():
    line = by_processor(report_of('EPYC'))
    assert line == ('| EPYC | avx2 | 1 | 20.0 | 3.0 | 5.0 | 75 % | 1.5, 2.0 | 90 % |')
    assert line.count('|') == BY_PROCESSOR[0].count('|') == BY_PROCESSOR[1].count('|')
    few = report_of('EPYC')
    few.rows = few.rows[:1]  # without baselines
    assert '| 20.0 | - | - | 75 % |' in by_processor(few)


def test_a_document_keeps_one_section_of_each_processor(tmp_path):
    path = tmp_path / 'performance.md'
    path.write_text('words\n\n<!-- end of benchmark -->\n\nmore words\n')
    for cpu, ms in (('EPYC', 20.0), ('Xeon', 10.0), ('EPYC', 30.0)):
        update_document(path, report_of(cpu, ms))
    text = path.read_text()
    assert text.startswith('words\n')
    assert text.endswith('more words\n')
    assert text.count('<!-- benchmark: EPYC (avx2) -->') == text.count('| Gelu |') - 1 == 1
    assert '| EPYC | avx2 | 1 | 30.0 |' in text
    assert '| EPYC | avx2 | 1 | 20.0 |' not in text
    assert text.index('EPYC') < text.index('Xeon') < text.index('more words')


@pytest.mark.parametrize('text, says', [
    ('words', "holds no '<!-- end"), ('<!-- benchmark: EPYC (avx2) -->', 'has no end')])
def test_a_document_without_a_place_for_it_is_left_alone(tmp_path, text, says):
    path = tmp_path / 'performance.md'
    path.write_text(text)
    with pytest.raises(ValueError, match=says):
        update_document(path, report_of('EPYC'))
    assert path.read_text() == text
