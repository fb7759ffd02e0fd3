# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import math

from hypothesis import given, settings, strategies
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping import Pose, PoseTrack
from tetra_vpr_ros.mapping.sources.gps import track_from_fixes
from tetra_vpr_ros.mapping.sources.pose_track import TrackError
from tetra_vpr_ros.mapping.sources.transforms import TransformBuffer

S = 1_000_000_000


def yaw(*degrees):
    return Rotation.from_euler('z', np.reshape(degrees, (-1, 1)), degrees=True).as_quat()


def test_interpolation_is_linear_in_position_and_spherical_in_rotation():
    track = PoseTrack([10 * S, 11 * S], np.array([[0, 0, 0], [4, 2, 0]]), yaw(170, -170))
    pose = track.at(10 * S + S // 4, S)
    assert np.allclose(pose.position, [1, 0.5, 0])
    # through 180 degrees, the short way
    assert Rotation.from_quat(pose.quaternion).as_euler('zyx', degrees=True)[0] == pytest.approx(
        175)
    assert math.degrees(pose.angle_to(track.at(10 * S, S))) == pytest.approx(5)


@settings(max_examples=150, deadline=None)
@given(strategies.lists(strategies.tuples(
    strategies.integers(0, 10 * S), *[strategies.floats(-1e6, 1e6)] * 3,
    *[strategies.floats(-1, 1)] * 4).filter(lambda row: np.linalg.norm(row[4:]) > 1e-3),
    min_size=1, max_size=8), strategies.integers(-S, 11 * S))
def test_a_pose_lies_between_its_neighbours(rows, stamp):
    values = np.array([row[1:] for row in rows])
    track = PoseTrack([row[0] for row in rows], values[:, :3], values[:, 3:])
    pose = track.at(stamp, 20 * S)
    if not track.stamps[0] <= stamp <= track.stamps[-1]:
        assert pose is None
        return
    after = int(np.searchsorted(track.stamps, stamp))
    near = track.positions[max(0, after - 1):after + 1]
    assert (pose.position >= near.min(0) - 1e-6).all()
    assert (pose.position <= near.max(0) + 1e-6).all()
    assert np.linalg.norm(pose.quaternion) == pytest.approx(1)
    ends = [track.at(int(track.stamps[i]), 0) for i in (max(0, after - 1), after)]
    assert pose.angle_to(ends[0]) <= ends[0].angle_to(ends[1]) + 1e-5  # the short way


def test_nothing_is_guessed_outside_and_across_gaps():
    track = PoseTrack([0, S, 5 * S], np.zeros((3, 3)), yaw(0, 0, 0))
    assert track.at(-1, S) is None
    assert track.at(5 * S + 1, S) is None
    assert track.at(3 * S, S) is None
    assert track.at(3 * S, 4 * S) is not None
    assert track.at(5 * S, 0) is not None  # a pose of that very stamp needs no neighbour
    assert len(track) == 3


def test_order_does_not_matter_and_the_last_of_equal_stamps_wins():
    track = PoseTrack([2 * S, 0, S, S], np.array([[2, 0, 0], [0, 0, 0], [9, 0, 0], [1, 0, 0]]),
                      yaw(0, 0, 0, 0))
    assert np.allclose(track.at(S // 2, S).position, [0.5, 0, 0])
    assert np.allclose(track.at(S, S).position, [1, 0, 0])


def test_quaternions_are_normalised_and_nonsense_is_refused():
    track = PoseTrack([0], np.zeros((1, 3)), np.array([[0, 0, 0, 5.0]]))
    assert np.allclose(track.at(0, S).quaternion, [0, 0, 0, 1])
    with pytest.raises(TrackError, match='no pose'):
        PoseTrack([], np.zeros((0, 3)), np.zeros((0, 4)))
    with pytest.raises(TrackError, match='1 of 2 poses'):
        PoseTrack([0, 7], np.array([[0, 0, 0], [np.nan, 0, 0]]), yaw(0, 0))
    with pytest.raises(TrackError, match='stamp 7 ns'):
        PoseTrack([0, 7], np.zeros((2, 3)), np.array([[0, 0, 0, 1], [0, 0, 0, 0.0]]))


def test_distance_between_poses():
    a, b = (Pose(np.array([x, 0, 0.0]), np.array([0, 0, 0, 1.0])) for x in (1, 4))
    assert a.distance_to(b) == 3
    assert a.angle_to(b) == 0


def test_transform_chain_through_static_and_moving_and_backward_edges():
    buffer = TransformBuffer()
    for i in range(5):
        buffer.add('map', 'odom', i * S, (1, 0, 0, 0, 0, 0, 1))
        buffer.add('odom', 'base', i * S, (i, 0, 0, *yaw(90)[0]))
    buffer.add('/camera', '/base', 0, (0, 0, -1, 0, 0, 0, 1), static=True)  # leading slashes
    track = buffer.chain('map', 'camera', S)
    pose = track.at(2 * S + S // 2, S)
    assert np.allclose(pose.position, [3.5, 0, 1])
    assert np.allclose(Rotation.from_quat(pose.quaternion).as_euler('zyx', degrees=True),
                       [90, 0, 0])
    back = buffer.chain('camera', 'map', S).at(2 * S + S // 2, S)
    assert np.allclose(back.position, [0, 3.5, -1])


def test_static_chains_and_errors_of_chains():
    buffer = TransformBuffer()
    buffer.add('map', 'base', 0, (1, 2, 3, 0, 0, 0, 1), static=True)
    assert np.allclose(buffer.chain('map', 'base', S).positions, [[1, 2, 3]])
    buffer.add('x', 'y', 0, (0, 0, 0, 0, 0, 0, 1))
    with pytest.raises(TrackError, match="'nowhere'.*base, map, x, y"):
        buffer.chain('map', 'nowhere', S)
    with pytest.raises(TrackError, match='not connected'):
        buffer.chain('map', 'y', S)
    buffer.add('y', 'z', 100 * S, (0, 0, 0, 0, 0, 0, 1))
    with pytest.raises(TrackError, match='never overlap'):
        buffer.chain('x', 'z', S)
    with pytest.raises(TrackError, match='there are: none'):
        TransformBuffer().chain('map', 'base', S)


def test_gps_fixes_become_local_metres_with_the_heading_of_travel():
    # One degree of latitude is about 111 km; drive east, then north.
    fixes = np.array([[47.0, 8.0, 400.0], [47.0, 8.0001, 400], [47.0, 8.0002, 400],
                      [47.0001, 8.0002, 401], [47.0002, 8.0002, np.nan]])
    track = track_from_fixes([i * S for i in range(5)], fixes)
    assert track.origin == (47.0, 8.0, 400.0)
    assert np.allclose(track.positions[0], 0, atol=1e-6)
    assert np.allclose(track.positions[2], [15.2, 0, 0], atol=0.1)
    assert np.allclose(track.positions[3], [15.2, 11.1, 1], atol=0.1)
    headings = Rotation.from_quat(track.quaternions).as_euler('zyx', degrees=True)[:, 0]
    assert np.allclose(headings, [0, 0, 0, 90, 90], atol=0.5)
    assert track.at(S // 2, S).geodetic == pytest.approx((47.0, 8.00005, 400.0))
    fixes[:, 1] = [179.9999, 179.99995, -179.9999, -179.99995, -179.9999]  # over the 180th
    beside = track_from_fixes([i * S for i in range(5)], fixes)
    assert beside.at(3 * S // 2, S).geodetic[1] == pytest.approx(-179.999975)
    assert beside.at(S // 2, S).geodetic[1] == pytest.approx(179.999925)
    again = track_from_fixes([0], np.array([[47.0, 8.0, 400.0]]), origin=(47.0, 7.9999, 400.0))
    assert again.positions[0, 0] == pytest.approx(7.6, abs=0.05)
    with pytest.raises(TrackError, match='no GPS fix'):
        track_from_fixes([], np.zeros((0, 3)))
