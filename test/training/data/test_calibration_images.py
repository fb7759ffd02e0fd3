# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.training.data.calibration import calibration_images
from tetra_vpr_ros.training.data.pool import find_images
import torch


def test_as_many_as_are_wanted_and_always_the_same(pictures):
    pool = find_images(pictures)  # 32 that decode, and one that does not
    images = calibration_images(pool, 8, (56, 84), seed=3)
    assert images.shape == (8, 56, 84, 3)
    assert images.dtype == torch.uint8
    assert torch.equal(images, calibration_images(pool, 8, (56, 84), seed=3))
    assert not torch.equal(images, calibration_images(pool, 8, (56, 84), seed=4))


@pytest.mark.parametrize(('broken_only', 'count'), [(False, 32), (True, 0)])
def test_what_does_not_decode_is_passed_over(pictures, broken_only, count):
    pool = find_images(pictures)[-1 if broken_only else 0:]
    assert len(calibration_images(pool, 100, (56, 56), seed=0)) == count
