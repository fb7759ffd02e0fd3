# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run that is continued finds, whole or damaged."""

import pytest
from tetra_vpr_ros.training.loop.checkpoint import CheckpointError
from tetra_vpr_ros.training.stages.distill import distill as run_distill


def distill(config):
    return run_distill(config, config.distill)


@pytest.mark.parametrize('damage', ['empty', 'cut', 'other bytes', 'another file of the run'])
def test_a_checkpoint_that_cannot_be_continued_is_named(recipe, load, tmp_path, damage):
    distill(load(recipe))
    checkpoint = tmp_path / 'run' / 'distill.pt'
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes({
        'empty': b'', 'cut': whole[:len(whole) // 2], 'other bytes': b'nothing of the kind',
        'another file of the run': (tmp_path / 'run' / 'distill_best.pt').read_bytes()}[damage])
    with pytest.raises(CheckpointError, match=f'{checkpoint} cannot be continued: it is damaged'):
        distill(load(recipe))


def test_a_log_with_half_a_line_is_continued(recipe, load, tmp_path):
    distill(load(recipe))
    log = tmp_path / 'run' / 'distill.csv'
    log.write_text(log.read_text() + '\n12')
    distill(load(recipe, distill__optimizer__steps=8))
    assert log.read_text().splitlines()[-1].startswith('7,')


def test_it_is_validated_at_the_end_only_where_that_is_asked(recipe, load, tmp_path):
    distill(load(recipe, distill__optimizer__validate_every=0))
    rows = (tmp_path / 'run' / 'distill_validation.csv').read_text().splitlines()
    assert [row.partition(',')[0] for row in rows] == ['6']
