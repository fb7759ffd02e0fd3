# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.vision.field_of_view import FEWEST_PIXELS, MOST_PADDED, with_view


@pytest.fixture
def picture():
    return np.random.default_rng(2).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_the_centre_stays_the_centre(picture):
    picture[30, 40] = 255
    cropped = with_view(picture, 0.5, 0.5)
    assert cropped.shape == (30, 40, 3)
    assert (cropped[15, 20] == 255).all()
    padded = with_view(picture, 1.5, 1.5)
    assert padded.shape == (90, 120, 3)
    assert (padded[45, 60] == 255).all()


def test_what_is_not_seen_is_mirrored(picture):
    padded = with_view(picture, 1.5, 1.0)
    assert padded.shape == (60, 120, 3)
    assert np.array_equal(padded[:, 20:100], picture)
    assert np.array_equal(padded[:, 19::-1], picture[:, :20])
    both = with_view(picture, 1.5, 0.5)
    assert np.array_equal(both, padded[15:45])


def test_large_pictures_are_made_smaller_before_they_are_padded(picture):
    large = np.kron(picture, np.ones((30, 30, 1), np.uint8))
    padded = with_view(large, 3.0, 2.0)
    assert 3_900_000 < padded.shape[0] * padded.shape[1] < 4_100_000
    assert padded.shape[1] / padded.shape[0] == pytest.approx(80 * 3 / (60 * 2), abs=0.01)
    assert with_view(large, 0.5, 0.9).shape == (1620, 1200, 3)  # a crop is as it was


@pytest.mark.parametrize('share, side', [(1e-6, FEWEST_PIXELS), (1e6, 80 * MOST_PADDED)])
def test_extreme_views_stay_pictures(picture, share, side):
    assert with_view(picture, share, 1.0).shape == (60, side, 3)


@pytest.mark.parametrize('shape', [(1, 1, 3), (1, 640, 3), (480, 3, 3)])
def test_tiny_pictures(shape):
    picture = np.zeros(shape, np.uint8)
    for share in (0.1, 0.98, 1.0, 1.3, 10.0):
        assert min(with_view(picture, share, share).shape[:2]) >= 1
