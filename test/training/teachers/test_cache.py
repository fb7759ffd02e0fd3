# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from tetra_vpr_ros.training.data.pool import find_images, read_rgb
from tetra_vpr_ros.training.teachers.cache import build_cache, TeacherCache
from training_data import SPEC


def test_cache_holds_views_and_tokens_and_skips_what_does_not_decode(cache, pictures):
    assert cache.views.shape == (33, 2, 64, 64, 3)
    assert cache.tokens.shape == (33, 2, 16, 32)
    assert cache.grid == (4, 4)
    assert cache.valid.sum() == 32
    assert not cache.valid[32]
    assert np.isfinite(cache.tokens[:32].astype(np.float32)).all()
    image = read_rgb(find_images(pictures)[3].path)
    whole = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.array_equal(cache.views[3, 0], whole)


def test_an_interrupted_cache_continues_to_the_same_result(pictures, teacher, cache, tmp_path):
    calls = []

    class Interrupted:
        patch_channels, class_channels = teacher.patch_channels, 0

        def __call__(self, image):
            calls.append(len(image))
            if calls.count(16) == 2:  # the second chunk of eight images with two views
                raise KeyboardInterrupt
            return teacher(image)

    images = find_images(pictures)
    with pytest.raises(KeyboardInterrupt):
        build_cache(tmp_path, images, Interrupted(), SPEC)
    with pytest.raises(RuntimeError, match='incomplete'):
        TeacherCache(tmp_path)
    again = build_cache(tmp_path, images, teacher, SPEC)
    assert np.array_equal(again.views, cache.views)
    assert np.allclose(again.tokens, cache.tokens, atol=2e-2)
    with pytest.raises(ValueError, match='other images'):
        build_cache(tmp_path, images[:5], teacher, SPEC)
