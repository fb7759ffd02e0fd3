# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The heading that a second look sees, and how sure it is."""

import math
from pathlib import Path

import numpy as np
import pytest
from sample_data import MATCHES, random_descriptors
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, SingleFrameLocalizer
from tetra_vpr_ros.localization.second_look import HEADING_DEVIATION, SecondLook
from tetra_vpr_ros.mapping import calibrate, NewPlace, PlaceMap
from tetra_vpr_ros.vision import ModelInfo
from worlds import at

GRID, TOKEN_BITS = (14, 14), 128
MODEL = ModelInfo(Path('a.onnx'), 'a' * 64, 'model-a', '1', 256, 8, 8, 'none', GRID, TOKEN_BITS,
                  MATCHES)


@pytest.fixture
def descriptors(rng):
    return random_descriptors(rng, 50)


@pytest.fixture
def scenery(rng):
    """Return tokens of a view that is wider than a picture, for each place."""
    return rng.integers(0, 256, (50, 14, 20, TOKEN_BITS // 8), dtype=np.uint8)


@pytest.fixture
def place_map(tmp_path, descriptors, scenery):
    with PlaceMap.create(tmp_path / 'm.vpr', MODEL) as new:
        session = new.begin_session('bag')
        new.add_places(session, [
            NewPlace(i, at(float(i), degrees=30.0), descriptor, tokens=picture(tokens, 3))
            for i, (descriptor, tokens) in enumerate(zip(descriptors, scenery))])
        new.finish_session(session)
        new.set_meta(calibration=calibrate(new.places()).to_meta())
    with PlaceMap.open_file(tmp_path / 'm.vpr') as opened:
        yield opened


def picture(tokens, first):
    return np.ascontiguousarray(tokens[:, first:first + 14].reshape(14 * 14, -1))


def yaw(pose):
    return math.degrees(Rotation.from_quat(pose.quaternion).as_euler('ZYX')[0])


@pytest.mark.parametrize('cells', [-2, 0, 1, 3])
def test_the_shift_turns_the_pose_where_the_field_of_view_is_known(place_map, descriptors,
                                                                   scenery, cells):
    look = SecondLook.of(place_map, 20)
    localizer = SingleFrameLocalizer(place_map, second_look=look)
    seen = picture(scenery[20], 3 + cells)  # further to the right
    blind = localizer.match(descriptors[20], 0, seen)
    assert blind.place_id == 21
    assert yaw(blind.pose) == pytest.approx(30)
    assert blind.covariance[5, 5] > 4 * HEADING_DEVIATION ** 2
    look.see_through(0, math.radians(90))
    sighted = localizer.match(descriptors[20], 0, seen)
    assert sighted.score == blind.score
    assert yaw(sighted.pose) == pytest.approx(
        30 - math.degrees(math.atan(2 * cells / 14)), abs=0.5)
    assert sighted.covariance[5, 5] == pytest.approx(HEADING_DEVIATION ** 2)
    assert np.allclose(sighted.covariance[:5, :5], blind.covariance[:5, :5])
    assert (np.linalg.eigvalsh(sighted.covariance) > 0).all()
    without = localizer.match(descriptors[20])
    assert yaw(without.pose) == pytest.approx(30)
    assert without.covariance[5, 5] == pytest.approx(blind.covariance[5, 5])
    look.see_through(0, None)
    assert yaw(localizer.match(descriptors[20], 0, seen).pose) == pytest.approx(30)


@pytest.mark.parametrize('name, count, takes', [
    ('single', 5, True), ('single', 0, False), ('bayes', 5, True)])
def test_a_localizer_tells_whether_it_takes_a_second_look(place_map, name, count, takes):
    localizer = make_localizer(place_map, LocalizerOptions(name, second_look=count))
    assert (localizer.second_look is not None) == takes
