# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from sample_data import noisy, random_descriptors, walk_descriptors
from tetra_vpr_ros.localization.belief.evidence import Evidence, novelty_of, ViewAnchor
from tetra_vpr_ros.mapping.calibration import calibrate
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from worlds import BITS, line, make_map


@pytest.fixture
def table(tmp_path, rng):
    with make_map(tmp_path / 'm.vpr', [line(walk_descriptors(rng, 300, BITS, 0.05))]) as opened:
        return opened.places()


@pytest.fixture
def evidence(table):
    return Evidence(calibrate(table))


def test_tables_rise_with_the_score_and_fall_with_the_distance(evidence):
    assert (np.diff(evidence.scores) >= 0).all()
    assert (np.diff(evidence.bits) <= 0).all()
    assert evidence.scores[0] < 0 < evidence.scores[-1]
    assert evidence.bits[0] > 3
    assert evidence.bits[-1] == 0  # a large distance never speaks against a place
    assert np.isfinite(evidence.scores).all()


def test_a_true_place_is_spoken_for_and_the_others_against(evidence, table, rng):
    for place in (20, 150, 280):
        bits = hamming_distances(noisy(rng, table.descriptors[place])[None],
                                 table.descriptors)[0]
        said = evidence.log_ratios(bits)
        assert abs(int(np.argmax(said)) - place) <= 1
        assert said[place] > 2
        assert np.median(said) < -1


def test_an_unknown_place_is_hardly_spoken_for(evidence, table, rng):
    said = np.array([evidence.log_ratios(hamming_distances(row[None], table.descriptors)[0])
                     for row in random_descriptors(rng, 200, BITS)])
    assert np.median(said.max(axis=1)) < 1.5
    # Likelihood ratios of wrong places average to less than one: chance builds no belief.
    assert np.exp(said).mean() < 1.0


def test_other_light_moves_all_distances_and_leaves_the_scores(evidence, table, rng):
    bits = hamming_distances(noisy(rng, table.descriptors[99])[None], table.descriptors)[0]
    darker = bits + 200
    same, dark = evidence.log_ratios(bits), evidence.log_ratios(darker)
    assert 0 < dark[99] == dark.max()  # the scores are as they were
    assert np.allclose(dark[bits > 300], same[bits > 300])
    assert same[99] > dark[99]  # only the distances say less


def test_the_first_frame_counts_its_distances_in_full(evidence, table):
    bits = hamming_distances(table.descriptors[5:6], table.descriptors)[0]
    first, later = evidence.log_ratios(bits, first=True), evidence.log_ratios(bits)
    assert first[5] - later[5] == pytest.approx(evidence.bits[0] / 2, abs=1e-4)


def test_novelty_is_measured_in_steps_of_the_map(table):
    step_bits = calibrate(table).step_bits
    step = novelty_of(1, step_bits) ** -1
    assert step == pytest.approx(0.05 * BITS, rel=0.1)
    assert novelty_of(0, step_bits) == 0.0
    assert novelty_of(BITS, step_bits) == 1.0


def seen_in_turn(anchor, views, step):
    """Return how much of each view after the first is news."""
    assert anchor.news(views[0], 1.0) == 1.0
    return [anchor.news(now, novelty_of(int(hamming_distances(now[None], before[None])[0, 0]),
                                        step)) for before, now in zip(views, views[1:])]


def test_what_is_news_adds_up_to_the_way_at_any_rate(rng):
    step = 0.1 * BITS
    walked = walk_descriptors(rng, 2001, BITS, 0.001)  # a hundred views from place to place
    whole = [np.sum(np.square(seen_in_turn(ViewAnchor(step), walked[::every], step)))
             for every in (1, 5, 10, 100)]
    assert max(whole) < 2 * min(whole)
    assert min(whole) > 10


def test_the_noise_of_a_camera_that_stands_still_is_news_once(rng):
    view, anchor, step = random_descriptors(rng, 1, 2048)[0], ViewAnchor(200.0), 200.0
    still = [view, *(noisy(rng, view, 0.005) for _ in range(1000))]
    assert np.sum(np.square(seen_in_turn(anchor, still, step))) < 0.1
    assert anchor.news(noisy(rng, view, 0.2), 1.0) == 1.0  # it drives on
