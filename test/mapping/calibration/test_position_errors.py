# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How far off a match is, told by its token score: on views of a made-up plane."""

from dataclasses import replace

import numpy as np
import pytest
from tetra_vpr_ros.mapping import MapError, PlaceMap
from tetra_vpr_ros.mapping.calibration import (
    load_position_errors, measure_position_errors, PositionErrors)
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.vision import ModelInfo

GRID = (3, 3)
SCALE = 2.0  # metres over which views lose their likeness


class Views:
    """Bits of every position: signs of waves, so that near positions share most of them."""

    def __init__(self, rng, bits=1152):
        self.direction = rng.normal(0, 1 / SCALE, (bits, 3))
        self.phase = rng.uniform(0, 2 * np.pi, bits)

    def __call__(self, position):
        seen = np.sin(self.direction @ position + self.phase) > 0
        return np.packbits(seen, bitorder='little')


def passes(views, *ways):
    """Return places along ways, one traverse each."""
    positions = np.concatenate(ways)
    sessions = np.repeat(np.arange(len(ways)), [len(way) for way in ways])
    count = len(positions)
    return PlaceTable(np.arange(1, count + 1), sessions, np.arange(count), positions,
                      np.tile([0, 0, 0, 1.0], (count, 1)), np.full((count, 3), np.nan),
                      np.array([views(position) for position in positions]))


def along(count, aside=0.0, spacing=0.5):
    way = np.zeros((count, 3))
    way[:, 0] = np.arange(count) * spacing
    way[:, 1] = aside
    return way


def measure(views, table):
    return measure_position_errors(
        table, 0.5, lambda place: views(table.positions[place - 1]).reshape(9, -1), GRID)


def test_errors_are_those_between_the_passes_and_fall_with_the_score(rng):
    views = Views(rng)
    asides = (0.0, 0.2, 0.7, 1.6)
    found = measure(views, passes(views, *(along(40, aside) for aside in asides)))
    assert found.samples > 100
    assert found.slope > 2
    here = views(np.array([3.0, 0.0, 0.0])).reshape(9, -1)
    for off in (0.3, 0.6, 1.2):
        there = views(np.array([3.0, off, 0.0])).reshape(9, -1)
        score = 1 - np.unpackbits(here ^ there).mean()
        # 95 % of the errors of such a match lie within 2.45 deviations
        assert off / 3 < found.deviation(score) < 2 * off + 0.3


def test_a_way_that_was_driven_once_tells_nothing(rng):
    views = Views(rng)
    assert measure(views, passes(views, along(60))) is None
    far = along(40, aside=30.0)
    assert measure(views, passes(views, along(40), far)) is None


def test_places_that_lie_closely_are_no_other_pass(rng):
    views = Views(rng)
    assert measure(views, passes(views, along(60, spacing=0.02))) is None
    # There and back again: what was passed meanwhile is away.
    there = along(60, spacing=0.1)
    assert measure(views, passes(views, np.concatenate([there, there[::-1] + 0.05]))).samples > 20


def test_views_the_other_way_do_not_count(rng):
    views = Views(rng)
    table = passes(views, along(40), along(40, 0.3))
    turned = table.quaternions.copy()
    turned[40:] = [0, 0, 1, 0]
    assert measure(views, table) is not None
    assert measure(views, replace(table, quaternions=turned)) is None


def test_places_without_tokens_are_passed_over(rng):
    views = Views(rng)
    table = passes(views, along(40), along(40, 0.3))
    assert measure_position_errors(table, 0.5, lambda _: None, GRID) is None


def test_a_deviation_stays_within_what_was_seen():
    found = PositionErrors(level=5.0, slope=8.0, least=0.3, most=4.0, typical=1.0, samples=50)
    assert found.deviation(1.0) == 0.3
    assert found.deviation(0.1) == 4.0
    assert found.deviation(0.6) == pytest.approx(np.exp(0.2))


@pytest.mark.parametrize('wrong', [
    7, {}, {'level': 'x'}, {'slope': -1.0}, {'least': 0.0}, {'most': 0.1}, {'level': 1e9},
    {'samples': True}])
def test_damage_is_told_with_the_mend(tmp_path, wrong):
    right = PositionErrors(5.0, 8.0, 0.3, 4.0, 1.0, 50)
    model = ModelInfo(tmp_path, 'a' * 64, 'model-a', '1', 64, 8, 8, 'none')
    with PlaceMap.create(tmp_path / 'm.vpr', model) as place_map:
        assert load_position_errors(place_map) is None
        place_map.set_meta(position_errors=right.to_meta())
        assert load_position_errors(place_map) == right
        stored = wrong if wrong in (7, {}) else {**right.to_meta(), **wrong}
        place_map.set_meta(position_errors=stored or {'level': 1.0})
        with pytest.raises(MapError, match=r'position_?.?errors'):
            load_position_errors(place_map)
