# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Large maps hold the speeds of few places; small ones, and older versions, of all."""

import numpy as np
import pytest
from tetra_vpr_ros.localization.belief import belief as belief_module
from tetra_vpr_ros.localization.belief import held_speeds
from tetra_vpr_ros.localization.belief.belief import PlaceBelief
from tetra_vpr_ros.localization.belief.held_speeds import HeldSpeeds, SPEEDS
from tetra_vpr_ros.localization.belief.place_graph import PlaceGraph
from worlds import at

BREAKS = np.array([700, 1500])
STILL = np.zeros(SPEEDS, np.int64)


@pytest.fixture
def few_are_held(monkeypatch):
    """Make maps of more than 300 places large ones."""
    def hold(count=300):
        monkeypatch.setattr(held_speeds, 'HELD', count)
        monkeypatch.setattr(belief_module, 'HELD', count)
    return hold


@pytest.fixture(scope='module')
def graph():
    """Return three ways, the first two of which run beside each other."""
    poses = [at(float(i), 0.4 * (i >= 700) + 90.0 * (i >= 1500)) for i in range(700)]
    poses += [at(i - 700.0, 0.4) for i in range(700, 1500)]
    poses += [at(i - 1500.0, 90.0) for i in range(1500, 2000)]
    return PlaceGraph(np.array([p.position for p in poses]),
                      np.array([p.quaternion for p in poses]), 1.0, np.radians(15))


def drive(belief, places, rng, seconds=0.5):
    """Pass places with evidence that is as noisy as it is of real frames."""
    seen = []
    for place in places:
        belief.walk(seconds, 0.9)
        said = rng.normal(-1.5, 0.7, belief.graph.size).astype(np.float32)
        said[place - 1:place + 2] += 3.0
        belief.observe(said)
        seen.append((belief.places.copy(), belief.off_map))
    return seen


def test_few_speeds_tell_what_all_tell(graph, few_are_held, seed):
    whole = drive(PlaceBelief(graph, BREAKS), range(300, 340), np.random.default_rng(seed))
    few_are_held()
    few = PlaceBelief(graph, BREAKS)
    for place, (wanted, off), (found, also_off) in zip(
            range(300, 340), whole, drive(few, range(300, 340), np.random.default_rng(seed))):
        assert not few._speeds.whole
        here = slice(place - 5, place + 6)
        assert found[here].sum() == pytest.approx(wanted[here].sum(), abs=0.03)
        assert also_off == pytest.approx(off, abs=0.02)
        assert found.sum() + also_off == pytest.approx(1.0, abs=1e-4)
    assert found[here].sum() > 0.95
    assert np.allclose(found[here], wanted[here], atol=0.01)


def test_a_carried_robot_is_found_where_no_speeds_were_held(graph, few_are_held, rng):
    few_are_held()
    belief = PlaceBelief(graph, BREAKS)
    drive(belief, range(300, 320), rng)
    assert not belief._speeds.find(np.array([1800]))[1].any()
    found, _ = drive(belief, range(1800, 1815), rng)[-1]
    assert found[1812:1817].sum() > 0.9


def test_with_odometry_a_large_map_is_as_a_small_one(graph, few_are_held):
    def driven():
        belief = PlaceBelief(graph, BREAKS)
        belief.observe(np.where(np.arange(2000) == 100, np.float32(9), np.float32(0)))
        for _ in range(5):
            belief.drive(at(1.0), 1.0)
        return belief.places.copy()
    wanted = driven()
    few_are_held()
    found = driven()
    assert np.argmax(found) == 105
    assert np.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize('way', [3, -3, 40])
def test_a_shift_keeps_the_mass_and_stops_where_a_traverse_ends(few_are_held, way):
    few_are_held()
    belief = np.full(2000, 1e-6, np.float32)
    starts = {3: [10, 695, 698, 1490], -3: [701, 1503, 1900], 40: [100, 800]}[way]
    belief[starts] = 0.1
    speeds = HeldSpeeds(2000, BREAKS)
    speeds.hold(belief, np.array(starts), abs(way))
    ways = STILL.copy()
    ways[SPEEDS - 1] = way
    speeds.shift(ways)
    layer = np.zeros(2000)
    layer[speeds.rows] = speeds.mass[SPEEDS - 1]
    traverse = np.searchsorted(BREAKS, np.arange(2000), side='right')
    arrived = [at + way for at in starts if traverse[at] == traverse[at + way]]
    assert sorted(np.flatnonzero(layer > 0.01)) == sorted(arrived)
    assert layer[arrived] == pytest.approx(0.1 / SPEEDS, rel=1e-3)


def test_places_that_are_held_no_more_keep_their_belief_but_not_their_speed(few_are_held):
    few_are_held()
    belief = np.full(2000, 1e-4, np.float32)
    speeds = HeldSpeeds(2000, BREAKS)
    speeds.hold(belief, np.array([100, 400]), 1)
    at, known = speeds.find(np.array([100, 200, 400]))
    assert known.tolist() == [True, False, True]
    speeds.mass[:, at[0]] = np.eye(SPEEDS)[2]
    speeds.hold(belief, np.array([100, 900]), 1)
    at, known = speeds.find(np.array([100, 400, 900]))
    assert known.tolist() == [True, False, True]
    assert np.argmax(speeds.mass[:, at[0]]) == 2
    assert speeds.mass[:, at[2]] == pytest.approx(1e-4 / SPEEDS)
