# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where cameras look on the robot, by the transforms of their optical frames."""

import json
import math

import fake_tf2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.nodes.localizer.inputs.camera_headings import CameraHeadings

pytestmark = pytest.mark.ros

# Optical axes in the robot's frame: x right in the picture, y down in it, z into it.
AHEAD = Rotation.from_matrix(np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]]).T)
DOWN = Rotation.from_matrix(np.array([[0, -1, 0], [-1, 0, 0], [0, 0, -1]]).T)


@pytest.fixture
def heading(inside, monkeypatch, tmp_path):
    """Return the heading that is learned of a camera, degrees."""
    monkeypatch.setitem(__import__('sys').modules, 'tf2_ros', fake_tf2)
    monkeypatch.setenv('FAKE_TF', str(tmp_path / 'tf'))
    node = inside()

    def heading(mounted, down):
        (tmp_path / 'tf').write_text(json.dumps({'camera': mounted.as_quat().tolist()}))
        headings = CameraHeadings(node, 'base_link', 1, down)
        assert headings.known(0.0) is None
        assert headings.learn(0, 'camera') == ''
        yaws = headings.known(0.0)
        headings.destroy()
        return math.degrees(yaws[0])

    return heading


@pytest.mark.parametrize('yaw', [0, 90, -135])
@pytest.mark.parametrize('roll, pitch', [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)])
def test_a_tilt_turns_neither_a_camera_that_looks_ahead_nor_one_that_looks_down(
        heading, yaw, roll, pitch):
    tilted = Rotation.from_euler('ZYX', [yaw, pitch, roll], degrees=True)
    assert heading(tilted * AHEAD, down=False) == pytest.approx(yaw, abs=0.1)
    assert heading(tilted * DOWN, down=True) == pytest.approx(yaw, abs=0.1)
