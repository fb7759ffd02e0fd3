# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import shutil
import sqlite3

import numpy as np
from planted import AGAIN, BACK, GAP, LENGTH, planted_map, TWINS
import pytest
from seeds import SEED
from tetra_vpr_ros.mapping import MapError, PlaceMap
from tetra_vpr_ros.viewing.insight.advice import advise
from tetra_vpr_ros.viewing.insight.knowledge import DOUBT, know
from tetra_vpr_ros.viewing.insight.look_alikes import find_look_alikes, KEPT

ALIKE = np.concatenate([np.array(twin) for twin in TWINS])


pytestmark = pytest.mark.usefixtures('seed')  # told with a failure


@pytest.fixture(scope='module', params=[True, False], ids=['tokens', 'bits'])
def made(request, tmp_path_factory):
    """Return the file of a map in which is planted what must be found."""
    given = request.config.getoption('--seed')
    return planted_map(tmp_path_factory.mktemp('maps') / 'made.vpr', np.random.default_rng(
        SEED if given is None else given), request.param)


@pytest.fixture(scope='module')
def place_map(made):
    with PlaceMap.open_file(made) as opened:
        yield opened


@pytest.fixture(scope='module')
def known(place_map):
    return know(place_map, progress=False)


def test_what_was_planted_is_not_sure_and_the_rest_is(known):
    out = known.looks.sure[:LENGTH]
    rest = np.setdiff1d(np.arange(LENGTH), ALIKE)
    assert np.all(out[ALIKE] < DOUBT)
    assert np.mean(out[rest] > 0.9) > 0.9
    assert known.looks.by_tokens == known.calibration.second_look


def test_the_nearest_look_alike_is_the_twin(known):
    for one, other in zip(*TWINS):
        assert known.looks.rows[one, 0] == other
        assert known.looks.rows[other, 0] == one
        assert known.looks.bits[one, 0] <= 60
    assert known.looks.rows.shape == (len(known.table), KEPT)
    assert np.all(np.diff(np.nan_to_num(known.looks.alike, nan=-1e9), axis=1) <= 0)


def test_no_look_alike_is_the_same_place(known):
    table, looks = known.table, known.looks
    for row, others in zip(looks.asked, looks.rows):
        others = others[others >= 0]
        metres = np.linalg.norm(table.positions[others] - table.positions[row], axis=1)
        turned = np.abs(table.quaternions[others] @ table.quaternions[row])
        assert np.all((metres > looks.far) | (turned < np.cos(np.pi / 4)))


def test_pairs_join_the_twins_and_each_surrounding_once(known):
    first = known.pairs[0]
    assert {first.one in TWINS[0], first.other in TWINS[1]} == {True}
    assert first.metres == pytest.approx(100 + GAP[1])
    assert first.degrees == pytest.approx(0, abs=0.1)
    ends = [known.table.positions[[pair.one, pair.other]] for pair in known.pairs]
    for i, one in enumerate(ends):
        for other in ends[:i]:
            assert np.linalg.norm(one - other, axis=1).max() > known.looks.far
    twins = [pair for pair in known.pairs if pair.one in TWINS[0] and pair.other in TWINS[1]]
    assert 1 <= len(twins) <= 3  # of the twelve


def test_stretches_that_look_alike(known):
    found = sorted(known.alike[:2], key=lambda stretch: stretch.rows[0])
    for stretch, twin in zip(found, TWINS):  # a place beside them may be doubtful, too
        assert (stretch.rows[0], stretch.rows[-1]) == pytest.approx((twin[0], twin[-1]), abs=1)
        assert stretch.metres == pytest.approx(len(twin) - 1, abs=2)


def test_what_was_driven_one_way(known):
    longest, = known.one_way
    # The last places that were driven back also show three beyond.
    assert longest.rows[0] == pytest.approx(len(BACK), abs=3)
    assert longest.rows[-1] == LENGTH - 1
    assert longest.metres == pytest.approx(LENGTH - len(BACK) + GAP[1] - 1, abs=4)


def test_the_gap_is_found_and_no_other(known):
    gap, = known.gaps
    assert (gap.before, gap.after, gap.metres) == (GAP[0], GAP[0] + 1, GAP[1] + 1)


def test_what_can_be_pruned(known):
    assert known.redundance.count == len(AGAIN)


def test_light(known):
    assert [light.word for light in known.lights] == ['light', 'dark', 'light']


def test_advice_comes_in_order_of_use(known):
    found = [advice.what for advice in advise(known)]
    order = ['patch tokens', 'other direction', 'look alike: give odometry', 'gap',
             'Prune these 20 places']
    if known.looks.by_tokens:
        order.pop(0)
    places = [next(i for i, what in enumerate(found) if part in what) for part in order]
    assert places == sorted(places)
    assert not any('map it ' in what for what in found)  # by day and by night already


def test_a_large_map_is_asked_in_part(place_map):
    table = place_map.places()
    whole = find_look_alikes(place_map, table, progress=False)
    some = find_look_alikes(place_map, table, progress=False, asked=50)
    assert len(whole.asked) == len(table)
    assert len(some.asked) == 50
    assert np.array_equal(some.rows, whole.rows[some.asked])
    assert np.allclose(some.sure, whole.sure[some.asked], atol=0.2)  # from other neighbours


def left_of(made, path, condition):
    """Copy a map, without the places that meet a condition."""
    shutil.copy(made, path)
    with sqlite3.connect(path) as db:
        for table, key in (('thumbnail', 'place'), ('token', 'place'), ('place', 'id')):
            db.execute(f'DELETE FROM {table} WHERE {key} {condition}')
        db.execute("DELETE FROM meta WHERE key = 'calibration'")
    return path


def test_a_map_of_one_place_has_no_look_alikes(made, tmp_path):
    with PlaceMap.open_file(left_of(made, tmp_path / 'one.vpr', '> 1')) as opened:
        known = know(opened, progress=False)
    assert known.looks.far is None
    assert known.sure.all()
    assert known.pairs == known.alike == known.one_way == known.gaps == []
    assert [light.word for light in known.lights] == ['light', '', '']


def test_an_empty_map_has_nothing_to_report(made, tmp_path):
    with PlaceMap.open_file(left_of(made, tmp_path / 'none.vpr', '> 0')) as opened, \
            pytest.raises(MapError, match='holds no places'):
        know(opened, progress=False)
