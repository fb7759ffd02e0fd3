# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
from tetra_vpr_ros.training.data import views
from tetra_vpr_ros.training.data.views import geometric_view, photometric_view


def test_views_keep_the_shape_and_change_the_picture(drive, rng):
    image = drive[0][2]
    for _ in range(60):
        view = geometric_view(image, 96, rng)
        assert view.shape == (96, 96, 3)
        changed = photometric_view(view, rng)
        assert changed.shape == view.shape
        assert changed.dtype == np.uint8


def test_snow_and_leaves_change_what_is_green_and_smooth():
    """Only colours change: the sky stays, and edges of what stands there can still be found."""
    rng = np.random.default_rng(0)
    scene = np.full((96, 96, 3), (0.5, 0.6, 0.9), np.float32)  # sky
    scene[30:60] = (0.2, 0.45, 0.15)                           # a hedge
    scene[60:] = (0.4, 0.4, 0.4)                               # a road
    seen = [views._season(scene, rng) for _ in range(40)]
    assert all(s.min() >= 0 and s.max() <= 1 for s in seen)
    hues = np.array([s[45, 40] / s[45, 40].sum() for s in seen])
    assert np.ptp(hues[:, 1]) > 0.15       # leaves of several colours
    road = np.array([s[90].mean() for s in seen])
    assert road.min() < 0.45 < 0.65 < road.max()  # with and without snow
    sky = np.array([s[5, 40] / s[5, 40].sum() for s in seen])
    assert np.ptp(sky, axis=0).max() < 0.02
