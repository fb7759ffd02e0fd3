# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from tetra_vpr_ros.localization.lens import Lens
from tetra_vpr_ros.mapping.camera import Camera


def camera(degrees, width=640, height=480):
    return Camera.from_field_of_view(width, height, math.radians(degrees))


def fisheye(focal):
    return Camera.from_intrinsics(640, 480, np.diag([focal, focal, 1.0]), 'equidistant')


@pytest.fixture
def picture():
    return np.random.default_rng(1).integers(0, 256, (480, 640, 3), dtype=np.uint8)


def test_what_is_not_known_changes_nothing(picture):
    assert Lens.between(None, None).horizontal_fov is None
    for lens in (Lens(), Lens.between(camera(60), None), Lens.between(None, camera(60))):
        assert lens(picture) is picture
    assert Lens.between(camera(60), None).horizontal_fov == pytest.approx(math.radians(60))
    assert Lens.between(None, camera(60)).horizontal_fov == pytest.approx(math.radians(60))


@pytest.mark.parametrize('degrees', [90, 89, 91, 84])
def test_a_camera_that_hardly_differs_is_left_alone(picture, degrees):
    lens = Lens.between(camera(degrees), camera(90))
    assert lens.shares is None
    assert lens(picture) is picture
    assert lens.horizontal_fov == pytest.approx(math.radians(degrees))


def test_a_wider_camera_is_cropped_to_the_view_of_the_map(picture):
    lens = Lens.between(camera(120), camera(90))
    assert lens.shares == pytest.approx((1 / math.sqrt(3),) * 2)
    assert np.array_equal(lens(picture), picture[101:378, 135:505])
    assert lens.horizontal_fov == pytest.approx(math.radians(90))


def test_a_narrower_camera_is_padded_to_the_view_of_the_map(picture):
    lens = Lens.between(camera(60), camera(90))
    padded = lens(picture)
    assert padded.shape == (831, 1109, 3)
    assert np.array_equal(padded[175:655, 234:874], picture)
    assert lens.horizontal_fov == pytest.approx(math.radians(90))


def test_each_direction_is_fitted_by_itself(picture):
    """The map's pictures are as wide but higher: the turn is measured in the camera's own."""
    lens = Lens.between(camera(88, 640, 360), camera(90))
    assert lens.shares[0] == 1.0
    assert lens(picture[60:420]).shape[:2] == (round(360 * lens.shares[1]), 640)
    assert lens.horizontal_fov == pytest.approx(math.radians(88))


def test_fisheyes_are_fitted_to_fisheyes_only(picture):
    lens = Lens.between(fisheye(150.0), fisheye(200.0))
    assert lens.shares == pytest.approx((0.75, 0.75))
    assert 0 < lens.horizontal_fov < math.pi
    assert fisheye(150.0).horizontal_fov > math.pi
    assert Lens.between(fisheye(150.0), camera(90)).shares is None
