# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from hypothesis import given, settings, strategies
import numpy as np
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization.covariance import candidate_covariance
from tetra_vpr_ros.mapping import Pose


def pose(x, y, degrees):
    return Pose(np.array([x, y, 0.0]), Rotation.from_euler('z', degrees, degrees=True).as_quat())


def test_no_rivals_leave_the_keyframe_spacing():
    covariance = candidate_covariance(pose(0, 0, 0), [], spacing=0.5, angle=0.25)
    assert np.allclose(np.diag(covariance), [0.25] * 3 + [0.0625] * 3)


def test_the_floor_is_never_zero():
    assert (np.diag(candidate_covariance(pose(0, 0, 0), [], 0.0, 0.0)) > 0).all()


def test_spread_along_one_axis_and_in_heading():
    best = pose(10, 5, 170)
    covariance = candidate_covariance(best, [best, pose(14, 5, -170)], 0.5, 0.1)
    assert np.isclose(covariance[0, 0], 16 / 2 + 0.25)
    assert np.isclose(covariance[1, 1], 0.25)
    turn = np.radians(20)  # through 180 degrees, the short way
    assert np.isclose(covariance[5, 5], turn**2 / 2 + 0.01)
    assert np.isclose(covariance[0, 5], 4 * turn / 2)


@settings(max_examples=50, deadline=None)
@given(strategies.lists(strategies.tuples(*[strategies.floats(-1e3, 1e3)] * 2,
                                          strategies.floats(-180, 180)), max_size=8))
def test_always_symmetric_and_positive_definite(rows):
    covariance = candidate_covariance(pose(0, 0, 0), [pose(*row) for row in rows], 0.5, 0.1)
    assert np.array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0
