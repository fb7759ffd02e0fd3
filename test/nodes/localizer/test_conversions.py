# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import math
import sys
from types import SimpleNamespace

from builtin_interfaces.msg import Time
import cv2
from hypothesis import given, settings, strategies
from hypothesis.extra.numpy import arrays
from nav_msgs.msg import Odometry
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from tetra_vpr_ros.localization import Candidate, Estimate
from tetra_vpr_ros.mapping import Pose
from tetra_vpr_ros.nodes.localizer import conversions
from tetra_vpr_ros.nodes.localizer.inputs.measurements import Measurements
from tetra_vpr_ros.vision import decode_raw, ImageError

POSE = Pose(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 0.6, 0.8]))


def estimate(pose=POSE, rejection=''):
    candidates = () if pose is None else (Candidate(3, 100, pose), Candidate(4, 120, pose))
    return Estimate(3, pose, np.diag(np.arange(1.0, 7)), 100, 0.9, rejection, candidates)


def raw(encoding, height=32, width=40, seed=1):
    channels = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'yuv422': 2, 'yuv422_yuy2': 2,
                'rgb16': 6, 'bgr16': 6, 'rgba16': 8, 'bgra16': 8}.get(
                    encoding, 2 if encoding.endswith('16') else 1)
    step = width * channels + 48  # cv_bridge reads whole pixels of any padding
    message = Image(height=height, width=width, encoding=encoding, step=step)
    message.data = np.random.default_rng(seed).integers(
        0, 256, height * step, dtype=np.uint8).tobytes()
    return message


ENCODINGS = ['rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', 'mono16', 'bayer_rggb8', 'bayer_bggr8',
             'bayer_gbrg8', 'bayer_grbg8', 'yuv422', 'yuv422_yuy2', 'rgb16', 'bgr16', 'rgba16',
             'bgra16', 'bayer_rggb16']


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_cv_bridge_and_the_own_decoder_give_the_same_pixels(encoding):
    cv_bridge = pytest.importorskip('cv_bridge', reason='cv_bridge is not installed')
    m = raw(encoding)
    own = decode_raw(m.height, m.width, m.encoding, m.step, m.data)
    assert np.array_equal(own, cv_bridge.CvBridge().imgmsg_to_cv2(m, 'rgb8'))
    assert np.array_equal(own, conversions.image_from_message(m))


@settings(max_examples=200, deadline=None)
@given(*[strategies.floats(-1e7, 1e7)] * 3, strategies.tuples(
    *[strategies.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1),
    strategies.integers(0, 2**31 - 1), strategies.integers(0, 999_999_999))
def test_poses_and_stamps_survive_their_messages(x, y, z, quaternion, sec, nanosec):
    unit = np.array(quaternion) / np.linalg.norm(quaternion)
    back = conversions.pose_from_message(conversions.pose_message(
        Pose(np.array([x, y, z]), unit)))
    assert np.array_equal(back.position, [x, y, z])
    assert np.allclose(back.quaternion, unit, atol=1e-12)
    assert conversions.nanoseconds(Time(sec=sec, nanosec=nanosec)) == sec * 10**9 + nanosec


@settings(max_examples=100, deadline=None)
@given(arrays(np.uint8, strategies.tuples(strategies.integers(1, 20), strategies.integers(1, 20),
                                          strategies.just(3))), strategies.integers(0, 9))
def test_an_image_survives_its_message(pixels, padding):
    height, width, _ = pixels.shape
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (0, padding)))
    message = Image(height=height, width=width, encoding='rgb8', step=rows.shape[1],
                    data=rows.tobytes())
    assert np.array_equal(conversions.image_from_message(message), pixels)


def test_messages_of_ros(drive):
    m = raw('bgr8')
    assert np.array_equal(conversions.image_from_message(m),
                          decode_raw(m.height, m.width, m.encoding, m.step, m.data))
    m.step = 1
    with pytest.raises(ImageError, match='step 1'):
        conversions.image_from_message(m)
    picture = drive[0][2]
    data = cv2.imencode('.png', picture[:, :, ::-1])[1].tobytes()
    assert np.array_equal(
        conversions.image_from_message(CompressedImage(format='png', data=data)), picture)


def test_match_and_candidates():
    stamp = Time(sec=5, nanosec=6)
    message = conversions.match_message(estimate(), 'map', stamp)
    assert (message.header.frame_id, message.header.stamp) == ('map', stamp)
    p, q = message.pose.pose.position, message.pose.pose.orientation
    assert (p.x, p.y, p.z) == (1, 2, 3)
    assert np.isclose(q.x**2 + q.y**2 + q.z**2 + q.w**2, 1)
    assert np.array_equal(np.reshape(message.pose.covariance, (6, 6)), estimate().covariance)
    assert (np.array(message.pose.covariance) >= 0).all()
    array = conversions.candidates_message(estimate(), 'map', stamp)
    assert len(array.poses) == 2


def test_a_pose_that_is_not_on_earth_is_none():
    for x in (math.nan, -sys.float_info.max, 1e9):  # drivers send any of them for "unknown"
        message = conversions.pose_message(Pose(np.zeros(3), np.array([0, 0, 0, 1.0])))
        assert conversions.pose_from_message(message) is not None
        message.position.x = x
        assert conversions.pose_from_message(message) is None


def test_odometry_of_another_clock_is_told():
    told = []
    logger = SimpleNamespace(warning=lambda text, **_: told.append(text))
    measured = Measurements(SimpleNamespace(get_logger=lambda: logger))
    message = Odometry()
    message.pose.pose.orientation.w = 1.0
    for moment in range(100, 140):
        measured.odometry_at(moment * 10**9)  # before it comes nothing is missing
    assert not told
    for moment in range(40):
        message.header.stamp.sec = moment
        measured.add_odometry(message)
        assert measured.odometry_at(moment * 10**9) is not None
    assert not told
    for moment in range(40, 60):
        message.header.stamp.sec = moment
        measured.add_odometry(message)
        assert measured.odometry_at((moment + 5) * 10**9) is None
    assert 'the last of it is dated -5.0 s from the last image' in told[0]


def test_odometry_that_says_it_is_lost_is_left_out_counted_and_told():
    told = []
    logger = SimpleNamespace(warning=lambda text, **_: told.append(text))
    measured = Measurements(SimpleNamespace(get_logger=lambda: logger))
    for second in range(1, 8):
        message = Odometry()
        message.header.stamp.sec = second
        message.pose.pose.position.x = 0.0 if second in (3, 5) else float(second)
        message.pose.pose.orientation.w = 0.0 if second == 5 else 1.0
        message.pose.covariance = np.diag([9999.0 if second == 3 else 0.01] * 6).ravel()
        measured.add_odometry(message)
    for second in (3, 5):
        assert measured.odometry.at(second * 10**9).position[0] == pytest.approx(second)
    assert measured.odometry.lost == 1
    assert 'odometry says that it is lost' in told[0]
    assert 'odometry without a finite pose' in '\n'.join(told)
