# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.mapping.map.places import Session
from tetra_vpr_ros.viewing.live.plan import plan, plan_of_map


def along(count, x=0.0, y=0.0):
    return np.stack([x + np.arange(count, dtype=float), np.full(count, y)], axis=1)


def test_traverses_are_lines_of_their_own_with_gaps_where_places_are_far_apart():
    points = np.vstack([along(10), along(10, 100.0), along(5, 0.0, 3.0)])
    numbers = np.array([1] * 20 + [2] * 5)
    made = plan(points, numbers, [Session(1, 'one', 0, 1, True), Session(2, 'two', 0, 1, True)])
    assert made['places'] == 25
    assert [line['name'] for line in made['traverses']] == ['one', 'two']
    first = made['traverses'][0]
    assert first['x'] == [*map(float, range(10)), None, *map(float, range(100, 110))]
    assert first['y'].index(None) == 10


def test_a_large_map_is_thinned_but_keeps_the_ends_of_its_stretches():
    made = plan(np.vstack([along(50_000), along(50_000, 200_000.0)]))
    x = made['traverses'][0]['x']
    assert made['places'] == 100_000
    assert 5000 < len(x) < 6010
    at = x.index(None)
    assert (x[0], x[at - 1], x[at + 1], x[-1]) == (0.0, 49_999.0, 200_000.0, 249_999.0)


def test_no_places_and_one_place_are_plans_too():
    assert plan(np.empty((0, 2)))['traverses'] == []
    assert plan(np.ones((1, 2)))['traverses'] == [{'name': '', 'x': [1.0], 'y': [1.0]}]


def test_the_plan_of_a_map_file(wall_map):
    with PlaceMap.open_file(wall_map) as place_map:
        made = plan_of_map(place_map)
        assert made['places'] == len(place_map)
    assert made['frame'] == 'map'
    line, = made['traverses']
    assert line['x'][0] == 0.0
    assert line['x'][-1] > 15.0
