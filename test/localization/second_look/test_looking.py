# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from contextlib import contextmanager
from dataclasses import replace
import math
from pathlib import Path

import numpy as np
import pytest
from sample_data import MATCHES, random_descriptors
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, View
from tetra_vpr_ros.localization.second_look import HEADING_DEVIATION, SecondLook
from tetra_vpr_ros.localization.second_look.token_evidence import HIDDEN, TokenEvidence
from tetra_vpr_ros.mapping import MapError, NewPlace, PlaceMap
from tetra_vpr_ros.vision import ModelInfo
from worlds import at

GRID = (4, 6)
MODEL = ModelInfo(Path('a.onnx'), 'a' * 64, 'model-a', '1', 256, 8, 8, 'none', GRID, 128, MATCHES)
COUNT = 40
SECOND = 10**9


@pytest.fixture
def tokens(rng):
    return rng.integers(0, 256, (COUNT, 24, 16), dtype=np.uint8)


@pytest.fixture
def descriptors(rng):
    return random_descriptors(rng, COUNT)


@pytest.fixture
def place_map(tmp_path, descriptors, tokens):
    """Return a map whose places stand on half a metre, looking four ways; the last is bare."""
    with mapped(tmp_path / 'room.vpr', MODEL, descriptors, tokens) as opened:
        yield opened


@contextmanager
def mapped(path, model, descriptors, tokens):
    with PlaceMap.create(path, model) as new:
        session = new.begin_session('room')
        new.add_places(session, [
            NewPlace(i, at(0.05 * (i % 10), 0.0, 90 * (i // 10)), descriptors[i], None, None,
                     None if i == COUNT - 1 else tokens[i]) for i in range(COUNT)])
        new.finish_session(session)
    with PlaceMap.open_file(path) as opened:
        yield opened


def seen_again(tokens, rng, share=0.1):
    return tokens ^ np.packbits(rng.random((*tokens.shape[:-1], 128)) < share, axis=-1,
                                bitorder='little')


def test_places_without_tokens_are_left_out(place_map, tokens):
    look = SecondLook.of(place_map, 20)
    found = look(tokens[3], [COUNT, 4, 9])
    assert found.ids.tolist() == [4, 9]
    assert found.scores[0] == 1.0
    assert len(look(tokens[3], [COUNT]).ids) == 0
    assert len(look(tokens[3], []).ids) == 0


def test_without_tokens_or_wish_there_is_no_second_look(place_map, tmp_path, descriptors):
    assert SecondLook.of(place_map, 0) is None
    with PlaceMap.create(tmp_path / 'bare.vpr', MODEL) as bare:
        bare.add_places(bare.begin_session('bare'), [NewPlace(0, at(0), descriptors[0])])
        assert SecondLook.of(bare, 20) is None


def test_a_shift_is_a_turn_where_the_field_of_view_is_known(place_map):
    look = SecondLook.of(place_map, 20)
    assert look.turn(0.25, 0) is None
    look.fields_of_view[0] = math.radians(90)
    assert math.degrees(look.turn(0.5, 0)) == pytest.approx(-45)  # half a picture to the right
    assert look.turn(0.0, 0) == 0.0
    assert look.turn(-0.1, 0) == -look.turn(0.1, 0) > 0


def test_the_probabilities_of_places_and_of_being_off_the_map_are_bayes_rule(
        place_map, descriptors, tokens, rng):
    look = SecondLook.of(place_map, 20)
    evidence = TokenEvidence(look, np.arange(1, COUNT + 1), 256)
    distances = np.full(COUNT, 120, np.int32)
    distances[7] = 40
    seen = evidence.see(seen_again(tokens[7], rng), distances, np.array([30]))
    assert 7 in seen.rows
    assert 30 in seen.rows  # believed in, though it is far
    assert len(seen.rows) in (20, 21)
    assert seen.shares.sum() == pytest.approx(1.0)
    assert seen.shares[list(seen.rows).index(7)] > 0.99
    best, below = evidence.log_ratios(seen)
    ratios = best + below
    assert below.max() == 0.0
    # Over all places, each as likely before, they are the ratio of the frame itself.
    ratio = math.exp(min(seen.of_the_map, math.log(1000)))
    whole = math.log((1 - HIDDEN) * ratio + HIDDEN)
    assert np.log(np.exp(ratios.astype(float)).mean()) == pytest.approx(whole, abs=1e-3)
    assert np.argmax(ratios) == 7
    assert np.allclose(evidence.weighted(best, below, 1.0, first=False), ratios, atol=1e-5)
    assert np.allclose(evidence.weighted(best, below, 0.1, first=True), ratios, atol=1e-5)
    assert not evidence.weighted(best, below, 0.0, first=False).any()


def test_in_a_part_of_the_map_without_tokens_the_descriptors_tell(place_map, tokens):
    """Tokens of the others would say that the robot is anywhere but there."""
    evidence = TokenEvidence(SecondLook.of(place_map, 20), np.arange(1, COUNT + 1), 256)
    distances = np.full(COUNT, 120, np.int32)
    distances[COUNT - 1] = 40
    assert evidence.see(tokens[3], distances) is None
    distances[3] = 39
    assert evidence.see(tokens[3], distances) is not None


def test_who_stands_in_the_way_has_no_heading(place_map, descriptors, tokens, rng):
    localizer = make_localizer(place_map, LocalizerOptions('bayes'))
    localizer.second_look.see_through(0, math.radians(90))
    seen = localizer.locate([View(descriptors[12], tokens=seen_again(tokens[12], rng))], SECOND)
    assert seen.covariance[5, 5] < 2 * HEADING_DEVIATION**2
    other = rng.integers(0, 256, tokens[12].shape, dtype=np.uint8)
    hidden = localizer.locate([View(random_descriptors(rng, 1)[0], tokens=other)], 2 * SECOND)
    assert hidden.covariance[5, 5] > 2 * HEADING_DEVIATION**2


@pytest.mark.parametrize('name', ['bayes', 'single'])
def test_a_map_of_half_a_metre_is_believed_from_the_first_frame(
        place_map, descriptors, tokens, rng, name):
    """It has no two places that are far apart, so it is not calibrated."""
    localizer = make_localizer(place_map, LocalizerOptions(name))
    assert localizer.places.calibration is None
    view = View(descriptors[12], tokens=seen_again(tokens[12], rng))
    estimate = localizer.locate([view], SECOND)
    assert estimate.rejection == ''
    assert estimate.place_id == 13
    assert estimate.confidence > 0.97
    assert 0.8 < estimate.score < 1.0
    assert estimate.candidates[0].place_id == 13
    without = make_localizer(place_map, LocalizerOptions(name, second_look=0))
    assert without.locate([view], SECOND).rejection == 'the map is not calibrated'


@pytest.mark.parametrize('name', ['bayes', 'single'])
def test_a_foreign_picture_is_not_believed(place_map, rng, name):
    localizer = make_localizer(place_map, LocalizerOptions(name))
    for i in range(20):
        view = View(rng.integers(0, 256, 32, dtype=np.uint8),
                    tokens=rng.integers(0, 256, (24, 16), dtype=np.uint8))
        estimate = localizer.locate([view], (i + 1) * SECOND)
        assert not estimate.accepted
    assert estimate.unknown


@pytest.mark.parametrize('name', ['bayes', 'single'])
def test_the_heading_is_the_one_that_is_seen(place_map, descriptors, tokens, rng, name):
    localizer = make_localizer(place_map, LocalizerOptions(name))
    localizer.second_look.fields_of_view[0] = math.radians(60)
    grid = tokens[12].reshape(*GRID, 16)
    # Turned right by one of six columns: what is seen lies further left.
    turned = rng.integers(0, 256, grid.shape, dtype=np.uint8)
    turned[:, :-1] = grid[:, 1:]
    estimate = localizer.locate([View(descriptors[12], tokens=turned.reshape(24, 16))], SECOND)
    assert estimate.place_id == 13
    wanted = 90 - math.degrees(math.atan(2 * math.tan(math.radians(30)) / 6))
    yaw = 2 * math.degrees(math.atan2(estimate.pose.quaternion[2], estimate.pose.quaternion[3]))
    assert yaw == pytest.approx(wanted, abs=1.5)


@pytest.fixture
def nothing(rng):
    """Return the tokens of a covered lens."""
    return rng.integers(0, 256, (24, 16), dtype=np.uint8)


@pytest.fixture
def walled(tmp_path, descriptors, tokens, nothing, rng):
    """Return a map whose place 7 stands in front of a wall, and the tokens of that."""
    tokens[6] = wall = seen_again(nothing, rng, 0.25)
    model = replace(MODEL, match_model=MATCHES.with_nothing(nothing))
    with mapped(tmp_path / 'walled.vpr', model, descriptors, tokens) as opened:
        yield opened, wall


@pytest.mark.parametrize('name', ['bayes', 'single'])
def test_a_covered_lens_is_no_wall_of_the_map(walled, descriptors, nothing, rng, name):
    place_map, wall = walled
    covered = seen_again(nothing, rng, 0.05)
    look = SecondLook.of(place_map, 20)
    assert look(covered, [7]).scores[0] > 0.72  # alike enough to be believed
    assert look.nothing(covered) > 0.9
    assert look.nothing(rng.integers(0, 256, (24, 16), dtype=np.uint8)) == 0.0
    believed = []
    for tokens in (covered, seen_again(wall, rng, 0.05)):
        localizer = make_localizer(place_map, LocalizerOptions(name))
        estimate = localizer.locate([View(descriptors[6], tokens=tokens)], SECOND)
        believed.append(estimate.accepted)
    assert believed == [False, True]


def test_a_match_model_of_other_tokens_is_told(walled, tmp_path):
    place_map, _ = walled
    other = place_map.match_model().with_nothing(np.zeros(17, np.uint8))
    with pytest.raises(MapError, match='walled.vpr: its match model does not fit its tokens'):
        SecondLook(place_map, other)
