# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
from sample_data import noisy, random_descriptors, walk_descriptors
from tetra_vpr_ros.mapping import calibrate, Calibration
from tetra_vpr_ros.mapping.calibration import (
    MapCalibration, place_spacing, SCORE_EDGES, standing_out)
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.places import PlaceTable


def line(descriptors, spacing=1.0):
    """Return places along a line."""
    count = len(descriptors)
    positions = np.zeros((count, 3))
    positions[:, 0] = np.arange(count) * spacing
    return PlaceTable(np.arange(count), np.ones(count, np.int64), np.arange(count), positions,
                      np.tile([0, 0, 0, 1.0], (count, 1)), np.full((count, 3), np.nan),
                      descriptors)


def moved(table, x, y):
    return replace(table, positions=table.positions + np.array([x, y, 0.0]))


def test_threshold_and_chance_follow_the_places_that_are_far_apart(rng):
    table = line(random_descriptors(rng, 300))
    calibration = calibrate(table)
    distances = hamming_distances(table.descriptors, table.descriptors)
    apart = np.abs(np.arange(300)[:, None] - np.arange(300)) > 5
    nearest = np.where(apart, distances, 999).min(1)
    assert calibration.samples == 300
    assert sum(calibration.pairs) == apart.sum()
    assert calibration.spacing == 1.0
    for rate in (0.0001, 0.001, 0.01, 0.2):
        threshold = calibration.threshold(rate)
        assert (distances[apart] <= threshold).mean() <= rate
        assert (distances[apart] <= threshold + 1).mean() > rate
    assert calibration.threshold(0.0) == nearest.min() - 1
    assert calibration.threshold(1.0) == 256
    for distance in (nearest.min(), int(np.median(nearest)), nearest.max()):
        assert calibration.chance(distance) == pytest.approx(
            (nearest <= distance).mean(), abs=0.005)
    assert calibration.chance(0) == 0.0
    assert 0 < calibration.chance(int(nearest.min()) - 1) < 1 / 300
    assert calibration.chance(256) == 1.0


def test_chance_holds_for_queries_of_unknown_places(rng):
    table = line(random_descriptors(rng, 500))
    calibration = calibrate(table)
    queries = random_descriptors(rng, 2000)
    best = hamming_distances(queries, table.descriptors).min(1)
    for distance in np.quantile(best, [0.05, 0.3, 0.7]).astype(int):
        assert calibration.chance(distance) == pytest.approx(
            (best <= distance).mean(), abs=0.06)


def test_large_maps_are_sampled_and_the_sample_is_always_the_same(rng):
    table = line(random_descriptors(rng, 400))
    first, second = calibrate(table, sample=100), calibrate(table, sample=100)
    assert first == second
    assert first.samples == 100


def test_a_map_of_one_view_has_no_calibration(rng):
    assert calibrate(line(random_descriptors(rng, 5), spacing=0.0)) is None
    assert calibrate(line(random_descriptors(rng, 1))) is None
    assert place_spacing(line(random_descriptors(rng, 1))) == 0.0


def test_an_order_that_is_no_drives_says_nothing_of_the_spacing(rng):
    table = line(random_descriptors(rng, 200), 0.5)
    assert place_spacing(table) == 0.5
    mixed = replace(table, positions=table.positions[rng.permutation(200)])
    assert place_spacing(mixed) == pytest.approx(0.5)
    # Two cameras at one place, and ten laps of one way, are a drive's.
    pairs = replace(table, positions=np.repeat(table.positions[:100], 2, axis=0))
    assert place_spacing(replace(pairs, positions=np.concatenate(
        [pairs.positions[::2], pairs.positions[1::2]]))) == 0.5
    laps = np.tile(table.positions[:20], (10, 1)) + rng.normal(0, 0.03, (200, 3))
    assert place_spacing(replace(table, positions=laps)) == pytest.approx(0.5, abs=0.05)


def test_a_drive_is_held_against_all_traverses_whatever_their_numbers(rng):
    table = line(walk_descriptors(rng, 100, 256, 0.1))
    table = replace(table, sessions=np.repeat([1, 2], 50))
    queries = replace(table, descriptors=np.array([noisy(rng, d, 0.1)
                                                   for d in table.descriptors]))
    found = [calibrate(table, replace(queries, sessions=np.full(100, number)))
             for number in (1, 2, 3)]
    assert found[0] == found[1] == found[2]
    assert found[0].positives == 100


def test_it_survives_the_map_file(rng):
    calibration = calibrate(line(random_descriptors(rng, 50)))
    assert Calibration.from_meta(calibration.to_meta()) == calibration


def test_neighbours_stand_for_the_same_place_in_a_map_of_one_traverse(rng):
    table = line(walk_descriptors(rng, 300))
    calibration = calibrate(table)
    assert calibration.source == 'neighbours'
    assert calibration.positives == 300
    assert sum(calibration.same_scores) == sum(calibration.same_bits) == 300
    assert sum(calibration.different_scores) == sum(calibration.pairs)
    centres = (SCORE_EDGES[:-1] + SCORE_EDGES[1:]) / 2
    same = np.average(centres, weights=calibration.same_scores)
    different = np.average(centres, weights=calibration.different_scores)
    assert same > different + 2
    assert calibration.step_bits == pytest.approx(0.15 * 256, rel=0.1)
    assert calibration.covariance_scale == 1.0


def test_another_traverse_tells_more_than_neighbours(rng):
    descriptors = walk_descriptors(rng, 100)
    first = line(descriptors)
    again = line(np.array([noisy(rng, row) for row in descriptors]))
    beside = again.positions + np.array([0.0, 1.2, 0.0])
    both = PlaceTable(*(np.concatenate(pair) for pair in (
        (first.ids, again.ids + 100), (first.sessions, again.sessions + 1),
        (first.stamps, again.stamps), (first.positions, beside),
        (first.quaternions, again.quaternions), (first.geodetic, again.geodetic),
        (first.descriptors, again.descriptors))))
    calibration = calibrate(both)
    assert calibration.source == 'traverses'
    assert calibration.positives == 200
    # 1.2 m beside is more than places 1 m apart let expect.
    assert calibration.covariance_scale == pytest.approx(1.2**2 / (5.991 / 3), rel=0.2) or \
        calibration.covariance_scale == 1.0


def test_a_held_out_drive_is_asked_about_the_whole_map(rng):
    descriptors = walk_descriptors(rng, 200)
    table = line(descriptors)
    drive = line(np.array([noisy(rng, row, 0.2) for row in descriptors[50:90]]))
    aside = moved(drive, 50.0, 1.9)
    calibration = calibrate(table, aside)
    assert calibration.source == 'queries'
    assert calibration.positives == 40
    assert calibration.covariance_scale > 1.5  # almost 2 m beside the map
    bits = np.average(np.arange(257), weights=calibration.same_bits)
    assert 35 < bits < 70
    assert calibrate(table, moved(drive, 0.0, 99.0)).positives == 0


def test_scores_do_not_change_when_all_distances_do():
    bits = np.array([[100, 200, 210, 190, 205]])
    assert np.allclose(standing_out(bits), standing_out(bits + 77), atol=1e-4)
    assert standing_out(bits)[0, 0] == pytest.approx(2.0, abs=0.1)
    assert not standing_out(np.full((1, 4), 9)).any()


@pytest.mark.parametrize('scale', [0.25, 1.0, 32.0])
def test_no_metre_is_in_a_calibration(rng, scale):
    """A desk, a room and a town of the same views are calibrated alike."""
    descriptors = walk_descriptors(rng, 120)
    alike, here = calibrate(line(descriptors, 1.0)), calibrate(line(descriptors, scale))
    assert here.far == pytest.approx(5.0 * scale)
    assert replace(here, far=alike.far, spacing=alike.spacing) == alike


def test_views_that_look_another_way_are_different_wherever_they_stand(rng):
    count = 35
    table = line(random_descriptors(rng, count), 0.0)
    half = np.radians(np.arange(count) * 360.0 / count) / 2
    turning = replace(table, quaternions=np.stack(
        [0 * half, 0 * half, np.sin(half), np.cos(half)], 1))
    assert calibrate(table) is None
    found = calibrate(turning)
    assert sum(found.pairs) == count * 18  # of 34 others those turned by more than 90 degrees


def test_half_of_a_small_map_is_far(rng):
    found = calibrate(line(random_descriptors(rng, 4), 0.5))
    assert found.far == 0.75
    assert sum(found.pairs) == 6


@pytest.mark.parametrize('same, says', [
    (True, 'a single frame is never accepted: other places look the same to the last bit'),
    (False, 'a single frame is accepted up to')])
def test_a_person_is_told_what_is_accepted(rng, same, says):
    descriptors = random_descriptors(rng, 100)
    if same:
        descriptors[50:] = descriptors[:50]
    said = MapCalibration(calibrate(line(descriptors)), None, second_look=False).summary()
    assert says in said
    assert '-1 bits' not in said
