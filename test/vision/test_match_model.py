# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import asdict, replace
import json

import numpy as np
import pytest
from sample_data import MATCHES
from tetra_vpr_ros.vision.match_model import MatchModel


def test_it_survives_the_model_file():
    assert MatchModel.from_values(json.loads(MATCHES.to_json())) == MATCHES


@pytest.mark.parametrize('change', [
    {'place_score': None}, {'missed': 0.0}, {'missed': 1.0}, {'foreign_decay': 0.0},
    {'frame_bias': float('nan')}, {'frame_bits': True}, {'place_bits': 1e9}, {'missed': '0.1'},
    {'look_contrast': 'much'}, {'frame_background': []}, {'nothing': 'a'}, {'nothing': 3},
    {'nothing': None}, {'nothing': 'ü'}])
def test_numbers_that_make_no_sense_are_refused(change):
    with pytest.raises(ValueError, match='match model'):
        MatchModel.from_values({**asdict(MATCHES), **change})


@pytest.mark.parametrize('stored', [None, [], {}, 'text', 3])
def test_what_is_none_is_refused(stored):
    with pytest.raises(ValueError, match='match model: place_score'):
        MatchModel.from_values(stored)


def test_a_better_score_is_preferred_and_believed():
    liked = MATCHES.preferences(np.array([0.6, 0.7]), np.array([0.3, 0.3]), np.array([3.0, 3.0]))
    assert liked[1] - liked[0] == pytest.approx(6.0)
    compared = np.array([[0.4, 0.1], [0.4, 0.2]])
    assert np.array_equal(liked, MATCHES.preferences(  # of a model that knows no contrast
        np.array([0.6, 0.7]), np.array([0.3, 0.3]), np.array([3.0, 3.0]), compared))


def test_a_frame_is_judged_by_its_best_place():
    model = replace(MATCHES, frame_background=50.0)
    assert model.of_the_map(0.7, 0.2, 0.4) == pytest.approx(40 * 0.7 - 30 * 0.2 + 50 * 0.4 - 16)
    assert MATCHES.of_the_map(0.7, 0.2, 0.4) == pytest.approx(40 * 0.7 - 30 * 0.2 - 16)
    before = {key: value for key, value in asdict(MATCHES).items() if key != 'frame_background'}
    assert MatchModel.from_values(before) == MATCHES  # files of before know none of it


def test_candidates_that_were_compared_are_told_apart_by_it():
    model = replace(MATCHES, look_bits=-10.0, look_standing=0.1, look_contrast=8.0,
                    look_background=40.0)
    alike = np.array([0.6, 0.6]), np.array([0.3, 0.4]), np.array([3.0, 2.0])
    liked = model.preferences(*alike, np.array([[0.40, 0.2], [0.45, 0.3]]))
    assert liked[1] - liked[0] == pytest.approx(-10 * 0.1 - 0.1 + 40 * 0.05 + 8 * 0.1)
    assert np.array_equal(model.preferences(*alike), MATCHES.preferences(*alike))
    before = {key: value for key, value in asdict(MATCHES).items()
              if not key.startswith('look_')}
    assert MatchModel.from_values(before) == MATCHES  # files of before know none of it


def test_foreign_worlds_reach_a_ratio_the_less_the_higher_it_is():
    assert MATCHES.foreign_share(-20.0) == 1.0
    assert MATCHES.foreign_share(1.0) == pytest.approx(0.01)
    assert MATCHES.foreign_share(1.0 + 1.2) == pytest.approx(0.01 / np.e)


def test_pictures_of_nothing_are_kept_with_it():
    tokens = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    model = MATCHES.with_nothing(tokens)
    again = MatchModel.from_values(json.loads(model.to_json()))
    assert np.array_equal(again.of_nothing((3, 4)), tokens)
    assert MATCHES.of_nothing((3, 4)).shape == (0, 3, 4)
    with pytest.raises(ValueError, match='reshape'):
        again.of_nothing((5, 4))
    before = {key: value for key, value in asdict(MATCHES).items() if key != 'nothing'}
    assert MatchModel.from_values(before) == MATCHES  # files of before know of none
