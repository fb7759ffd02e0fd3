# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A camera that looks straight down: the best of four turns, and the heading that it tells."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from sample_data import MATCHES, random_descriptors
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, View
from tetra_vpr_ros.mapping import NewPlace, PlaceMap
from tetra_vpr_ros.vision import ModelInfo
from tetra_vpr_ros.vision.quarter_turns import quarter_turned
from worlds import at

MODEL = ModelInfo(Path('a.onnx'), 'a' * 64, 'model-a', '1', 256, 8, 8, 'none', (4, 4), 128,
                  MATCHES)
COUNT, SECOND = 30, 10**9


def yaw(pose):
    return math.degrees(2 * math.atan2(pose.quaternion[2], pose.quaternion[3]))


@pytest.fixture
def seen(rng):
    """Return descriptors and tokens of each place, and of the same seen turned."""
    return (random_descriptors(rng, COUNT),
            rng.integers(0, 256, (COUNT, 16, 16), dtype=np.uint8))


@pytest.fixture
def place_map(tmp_path, seen):
    with PlaceMap.create(tmp_path / 'field.vpr', MODEL) as new:
        session = new.begin_session('field')
        new.add_places(session, [NewPlace(i, at(float(i), 0.0, 20.0), descriptor, tokens=tokens)
                                 for i, (descriptor, tokens) in enumerate(zip(*seen))])
        new.finish_session(session)
    with PlaceMap.open_file(tmp_path / 'field.vpr') as opened:
        yield opened


def four_views(seen, place, quarters, rng):
    """Return the views of a frame that shows a place when it is turned so often."""
    descriptors, tokens = seen
    return [View(descriptors[place] if k == quarters else rng.integers(0, 256, 32, np.uint8),
                 tokens=(tokens[place] if k == quarters
                         else rng.integers(0, 256, (16, 16), np.uint8)), quarter_turns=k)
            for k in range(4)]


@pytest.mark.parametrize('name', ['bayes', 'single'])
@pytest.mark.parametrize('quarters', [0, 1, 2, 3])
def test_the_best_turn_counts_for_place_and_heading(place_map, seen, rng, name, quarters):
    localizer = make_localizer(place_map, LocalizerOptions(name, camera_mount='down'))
    estimate = localizer.locate(four_views(seen, 12, quarters, rng), SECOND)
    assert estimate.place_id == 13
    assert estimate.accepted, estimate.rejection
    off = math.remainder(yaw(estimate.pose) - (20.0 + 90.0 * quarters), 360.0)
    assert off == pytest.approx(0.0, abs=1.0)
    # Within a quarter turn any heading is as likely.
    assert estimate.covariance[5, 5] >= (math.pi / 2) ** 2 / 12
    assert (np.linalg.eigvalsh(estimate.covariance) > 0).all()


def test_without_tokens_the_nearest_turn_counts(place_map, seen, rng):
    localizer = make_localizer(place_map, LocalizerOptions('single', camera_mount='down'))
    views = [View(view.descriptor, quarter_turns=view.quarter_turns)
             for view in four_views(seen, 7, 3, rng)]
    estimate = localizer.locate(views, SECOND)
    assert estimate.place_id == 8
    assert math.remainder(yaw(estimate.pose) - 290.0, 360.0) == pytest.approx(0.0, abs=1.0)


def test_a_mount_that_is_none_is_refused(place_map):
    with pytest.raises(ValueError, match='camera_mount must be one of forward, down'):
        make_localizer(place_map, LocalizerOptions(camera_mount='up'))


def test_a_robot_that_turned_left_sees_its_place_after_as_many_turns_left(rng):
    """The ground as a robot sees it that heads north, and one that heads west."""
    ground = cv2.resize(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8), (90, 90))
    # North is up on the ground; who heads west has west at the top of its picture.
    west = np.rot90(ground, -1)
    assert np.array_equal(quarter_turned(west)[1], ground)
    assert all(picture.shape == ground.shape for picture in quarter_turned(west))


def test_turned_pictures_keep_the_sides_of_the_maps(rng):
    wide = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    for picture in quarter_turned(wide):
        assert picture.shape[1] / picture.shape[0] == pytest.approx(4 / 3, rel=0.03)
    assert np.array_equal(quarter_turned(wide)[2], np.rot90(wide, 2))
