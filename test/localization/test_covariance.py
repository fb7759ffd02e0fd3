# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from hypothesis import given, settings, strategies
import numpy as np
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization.covariance import (
    covariance_floor, mean_pose, pose_covariance, with_heading)
from tetra_vpr_ros.mapping import Pose


def pose(x, y, degrees):
    return Pose(np.array([x, y, 0.0]), Rotation.from_euler('z', degrees, degrees=True).as_quat())


def arrays(poses):
    return (np.array([p.position for p in poses]).reshape(-1, 3),
            np.array([p.quaternion for p in poses]).reshape(-1, 4))


def test_the_robot_may_stand_a_spacing_to_either_side():
    floor = covariance_floor(spacing=0.5, angle=0.5)
    assert np.allclose(floor, np.diag([0.25 / 3] * 6))
    nothing = pose_covariance(pose(0, 0, 0), *arrays([]), np.empty(0), floor)
    assert np.allclose(nothing, floor)


def test_the_floor_is_never_zero():
    assert (np.diag(covariance_floor(0.0, 0.0)) > 0).all()


def test_spread_along_one_axis_and_in_heading():
    best = pose(10, 5, 170)
    floor = covariance_floor(0.5, 0.1)
    covariance = pose_covariance(best, *arrays([best, pose(14, 5, -170)]), np.ones(2), floor)
    assert np.isclose(covariance[0, 0], 16 / 2 + floor[0, 0])
    assert np.isclose(covariance[1, 1], floor[1, 1])
    turn = np.radians(20)  # through 180 degrees, the short way
    assert np.isclose(covariance[5, 5], turn**2 / 2 + floor[5, 5])
    assert np.isclose(covariance[0, 5], 4 * turn / 2)
    assert np.allclose(pose_covariance(best, *arrays([best, pose(14, 5, -170)]), np.ones(2),
                                       floor, scale=3.0), 3 * covariance)


def test_weights_count_and_headings_are_averaged_the_short_way():
    mean = mean_pose(*arrays([pose(0, 0, 170), pose(4, 0, -170)]), np.array([3.0, 1.0]))
    assert np.allclose(mean.position, [1, 0, 0])
    degrees = Rotation.from_quat(mean.quaternion).as_euler('xyz', degrees=True)[2]
    assert 174 < degrees < 176  # a quarter of the way from 170 to 190


@settings(max_examples=50, deadline=None)
@given(strategies.lists(strategies.tuples(*[strategies.floats(-1e3, 1e3)] * 2,
                                          strategies.floats(-180, 180)), max_size=8))
def test_always_symmetric_and_positive_definite(rows):
    covariance = pose_covariance(pose(0, 0, 0), *arrays([pose(*row) for row in rows]),
                                 np.ones(len(rows)), covariance_floor(0.5, 0.1))
    assert np.array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_a_heading_that_was_seen_is_a_turn_about_the_robots_own_vertical(rng):
    root = rng.normal(size=(6, 6))
    known = root @ root.T + np.eye(6)
    flat = with_heading(known, pose(0, 0, 30).quaternion, 0.01)
    assert np.allclose(flat[:5, :5], known[:5, :5])  # upright only yaw is new
    assert np.allclose(flat[5], [0.0, 0.0, 0.0, 0.0, 0.0, 0.01])
    nose_up = Rotation.from_euler('y', -90, degrees=True)  # its vertical is the map's -x
    tilted = with_heading(known, nose_up.as_quat(), 0.01)
    assert np.isclose(tilted[3, 3], 0.01)
    assert np.allclose(tilted[4:, 4:], known[4:, 4:])
    assert np.allclose(tilted[3, [0, 1, 2, 4, 5]], 0.0)
    assert (np.linalg.eigvalsh(tilted) > 0).all()
