# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping import Pose
from tetra_vpr_ros.mapping.building.keyframes import KeyframeSelector


def pose(x, degrees=0.0):
    return Pose(np.array([x, 0.0, 0.0]), Rotation.from_euler('z', degrees, degrees=True).as_quat())


def test_distance_or_angle_makes_a_keyframe():
    selector = KeyframeSelector(0.5, 15)
    assert selector.wants(pose(0))
    selector.accept(pose(0))
    assert not selector.wants(pose(0.49, 14))
    assert selector.wants(pose(0.51))
    assert selector.wants(pose(0, -16))


def test_a_wanted_frame_that_was_not_accepted_leaves_the_next_one_wanted():
    selector = KeyframeSelector(0.5, 15)
    selector.accept(pose(0))
    assert selector.wants(pose(0.6))
    assert selector.wants(pose(0.7))


def test_negative_values_are_refused():
    with pytest.raises(ValueError, match='negative'):
        KeyframeSelector(-1.0)
    with pytest.raises(ValueError, match='negative'):
        KeyframeSelector(float('nan'))
