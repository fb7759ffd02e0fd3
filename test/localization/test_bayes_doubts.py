# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Belief where odometry, cameras or pictures do not say what they seem to."""

import numpy as np
import pytest
from sample_data import noisy, random_descriptors, walk_descriptors
from tetra_vpr_ros.localization import BayesLocalizer, View
from worlds import at, BITS, line, make_map, SECOND


@pytest.fixture
def localizer(tmp_path, way):
    with make_map(tmp_path / 'm.vpr', [line(way)]) as opened:
        return BayesLocalizer(opened)


def off(estimates, places):
    """Return how far the accepted estimates are from true places, metres."""
    return [abs(e.pose.position[0] - place) for e, place in zip(estimates, places) if e.accepted]


def test_odometry_that_stands_still_does_not_hold_a_robot_that_drives(localizer, way, rng):
    estimates = [localizer.locate([View(noisy(rng, way[i], 0.1))], i * SECOND, at(0.0))
                 for i in range(20, 180)]
    found = off(estimates, range(20, 180))
    assert len(found) > 140
    assert np.max(found) < 3


def test_ten_frames_to_a_place_add_up_to_what_odometry_does_not_explain(tmp_path, rng):
    fine = walk_descriptors(rng, 2000, BITS, 0.006)
    with make_map(tmp_path / 'fine.vpr', [line(fine[::10])]) as opened:
        localizer = BayesLocalizer(opened)
    estimates = [localizer.locate([View(noisy(rng, fine[i], 0.02))], i * SECOND // 10, at(20.0))
                 for i in range(200, 600)]
    found = off(estimates, np.arange(200, 600) / 10)
    assert len(found) > 300
    assert np.max(found) < 3


def test_odometry_is_listened_to_where_views_change_sooner_than_places(tmp_path, rng):
    """Of places eight metres apart, each metre looks as different as the next place."""
    fine = random_descriptors(rng, 1600, BITS)
    with make_map(tmp_path / 'sparse.vpr', [line(fine[::8], 8.0)]) as opened:
        localizer = BayesLocalizer(opened)
    driven = []
    localizer.belief.walk = lambda *_: driven.append(False) or True
    for i in range(400, 500):
        localizer.locate([View(noisy(rng, fine[i], 0.02))], i * SECOND, at(float(i)))
    assert not driven


@pytest.mark.parametrize('target', [90, 130, 170])
def test_a_robot_that_is_carried_while_its_wheels_stand_is_found(localizer, way, rng, target):
    for i in range(20, 41):
        localizer.locate([View(noisy(rng, way[i], 0.1))], i * SECOND, at(float(i)))
    carried = [localizer.locate([View(noisy(rng, way[i], 0.1))], (41 + n) * SECOND, at(40.0))
               for n, i in enumerate(range(44, target, 4))]
    put_down = [localizer.locate([View(noisy(rng, way[target], 0.005))], (100 + n) * SECOND,
                                 at(40.0)) for n in range(20)]
    assert all(e < 8 for e in off(carried, range(44, target, 4)))
    last = put_down[-1]
    assert not last.accepted or abs(last.pose.position[0] - target) < 3
    driven = [localizer.locate([View(noisy(rng, way[target + n], 0.1))], (120 + n) * SECOND,
                               at(40.0 + n)) for n in range(20)]
    assert driven[-1].accepted
    assert abs(driven[-1].pose.position[0] - target - 19) < 3


def test_who_stands_in_the_way_of_a_standing_robot_moves_it_nowhere(localizer, way, rng):
    for i in range(20, 41):
        localizer.locate([View(noisy(rng, way[i], 0.1))], i * SECOND, at(float(i)))
    people = random_descriptors(rng, 10, BITS)
    for n, view in enumerate(people):
        localizer.locate([View(view)], 41 * SECOND + n * SECOND // 10, at(40.0))
    after = [localizer.locate([View(noisy(rng, way[40 + n], 0.1))], (43 + n) * SECOND,
                              at(40.0 + n)) for n in range(12)]
    assert after[-1].accepted
    assert all(e < 3 for e in off(after, range(40, 52)))


@pytest.mark.parametrize('yaws, share', [((0.0, 0.0, 0.1), 1 / 3), ((0.0, np.pi), 1)])
def test_cameras_that_look_the_same_way_see_one_thing_once(tmp_path, way, rng, yaws, share):
    with make_map(tmp_path / 'm.vpr', [line(way)]) as opened:
        alone, several = BayesLocalizer(opened), BayesLocalizer(opened, camera_yaws=yaws)
    seen = noisy(rng, way[60], 0.3)
    said, once = [], []
    several.belief.observe, alone.belief.observe = said.append, once.append
    several.locate([View(seen, camera) for camera in range(len(yaws))], 0)
    alone.locate([View(seen)], 0)
    assert len(said) == len(yaws)
    for camera, part in enumerate(said):
        own = part.reshape(len(yaws), -1)[camera]  # the places as this camera sees them
        assert np.allclose(own, share * once[0], atol=1e-4)


def test_a_place_that_several_cameras_may_see_is_listed_once(tmp_path, way, rng):
    with make_map(tmp_path / 'm.vpr', [line(way)]) as opened:
        localizer = BayesLocalizer(opened, camera_yaws=(0.0, 0.0, np.pi))
    for i in range(40, 50):
        estimate = localizer.locate([View(noisy(rng, way[i], 0.1), camera)
                                     for camera in (0, 1)], i * SECOND)
    listed = [candidate.place_id for candidate in estimate.candidates]
    assert len(listed) == len(set(listed)) == 10
    assert listed[0] == estimate.place_id


def test_pictures_that_alternate_are_no_news(localizer, way, rng):
    """A lamp that flickers shows a robot that stands nothing new, wherever that is."""
    place = noisy(rng, way[60], 0.33)
    other = noisy(rng, place, 0.05)
    alone = localizer.locate([View(place)], 0)
    localizer.locate([View(other)], SECOND // 10)
    second = localizer.locate([View(place)], SECOND // 5)
    later = [localizer.locate([View(noisy(rng, (place, other)[n % 2], 0.002))],
                              (3 + n) * SECOND // 10) for n in range(300)]
    assert max(e.confidence for e in later) < max(alone.confidence, second.confidence) + 0.1
