# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from sample_data import noisy, walk_descriptors
from tetra_vpr_ros.localization import SequenceLocalizer, View
from worlds import at, BITS, line, make_map, SECOND


@pytest.fixture
def localizer(tmp_path, way):
    with make_map(tmp_path / 'm.vpr', [line(way)]) as opened:
        return SequenceLocalizer(opened, length=8)


def drive(localizer, rng, descriptors, share=0.25):
    return [localizer.locate([View(noisy(rng, row, share))], i * SECOND)
            for i, row in enumerate(descriptors)]


@pytest.mark.parametrize('step', [1, 2])
def test_a_stretch_is_found_at_several_speeds(localizer, way, rng, step):
    estimates = drive(localizer, rng, way[30:90:step])
    errors = [abs(e.place_id - 1 - 30 - step * i) for i, e in enumerate(estimates)]
    assert not any(e.accepted for e in estimates[:7])
    assert '7 of 8 views' in estimates[6].rejection
    assert max(errors[8:]) <= 3
    if step == 1:
        assert np.mean([e.accepted for e in estimates[8:]]) > 0.9


def test_a_stretch_of_another_world_is_rejected(localizer, rng):
    estimates = drive(localizer, rng, walk_descriptors(rng, 100, BITS, 0.06))
    assert np.mean([e.accepted for e in estimates]) < 0.1
    assert 'is accepted at a false-match rate' in estimates[-1].rejection
    assert estimates[-1].unknown


def test_views_that_do_not_change_make_no_stretch(localizer, way):
    estimates = [localizer.locate([View(way[40])], i * SECOND) for i in range(20)]
    assert all('1 of 8 views' in e.rejection for e in estimates)


def test_no_stretch_crosses_from_one_traverse_into_the_next(tmp_path, rng):
    first, second = walk_descriptors(rng, 30, BITS, 0.06), walk_descriptors(rng, 30, BITS, 0.06)
    with make_map(tmp_path / 'm.vpr', [line(first), line(second, y=50.0)]) as opened:
        localizer = SequenceLocalizer(opened, length=8)
    rows = np.zeros((8, 60), np.float32)
    rows[:, 25:35] = 3.0
    best = localizer._stretches(rows)
    assert best[29] > best[30]
    localizer.set_prior(at(0.0), np.eye(6))  # allowed, without effect
    localizer.reset()
    assert 'views' in localizer.locate([View(first[3])], 0).rejection


def test_maps_without_places_or_calibration(tmp_path, way):
    with make_map(tmp_path / 'empty.vpr', [], calibrated=False) as opened:
        assert SequenceLocalizer(opened).locate([View(way[0])], 0).rejection == 'the map is empty'
    with make_map(tmp_path / 'raw.vpr', [line(way)], calibrated=False) as opened:
        estimate = SequenceLocalizer(opened).locate([View(way[3])], 0)
    assert 'not calibrated' in estimate.rejection
    assert estimate.confidence == 0.0
