# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
from tetra_vpr_ros.training.data.views import geometric_view, photometric_view


def test_views_keep_the_shape_and_change_the_picture(drive, rng):
    image = drive[0][2]
    for _ in range(60):
        view = geometric_view(image, 96, rng)
        assert view.shape == (96, 96, 3)
        changed = photometric_view(view, rng)
        assert changed.shape == view.shape
        assert changed.dtype == np.uint8
