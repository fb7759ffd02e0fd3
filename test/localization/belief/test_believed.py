# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, View
from tetra_vpr_ros.localization.belief.believed import Believed
from worlds import line, make_map


def test_the_strongest_places_come_first_and_thin_ones_not_at_all():
    believed = Believed(np.array([0.1, 0.5, 0.0, 0.3, 1e-6], np.float32), 0.1)
    assert believed.strongest(10, 1e-4).tolist() == [1, 3, 0]
    assert believed.strongest(2, 1e-4).tolist() == [1, 3]
    assert believed.strongest(0, 1e-4).tolist() == []
    assert believed.strongest(10, 0.6).tolist() == []


@pytest.mark.parametrize('name, keeps', [('bayes', True), ('single', False)])
def test_a_belief_is_told_by_those_who_keep_one(tmp_path, way, name, keeps):
    place_map = make_map(tmp_path / 'way.vpr', [line(way)])
    for yaws in ((0.0,), (0.0, 3.14159)):
        localizer = make_localizer(place_map, LocalizerOptions(name, camera_yaws=yaws))
        localizer.locate([View(way[5])], 10**9)
        believed = localizer.believed()
        assert (believed is not None) == keeps
        if believed is not None:
            assert believed.places.shape == (len(way),)
            assert believed.places.sum() + believed.off_map == pytest.approx(1.0, abs=1e-4)
