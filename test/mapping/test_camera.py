# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import math
from types import SimpleNamespace

import numpy as np
import pytest
from tetra_vpr_ros.mapping.camera import Camera, info_topic, Intrinsics


def matrix(fx, fy=None, cx=320.0, cy=240.0):
    return np.array([[fx, 0, cx], [0, fy or fx, cy], [0, 0, 1.0]])


def test_a_pinhole_camera():
    camera = Camera.from_intrinsics(640, 480, matrix(320.0), 'plumb_bob')
    assert camera.horizontal_fov == pytest.approx(math.pi / 2)
    assert camera.vertical_fov == pytest.approx(2 * math.atan(0.75))
    assert camera.extents == pytest.approx((1.0, 0.75))
    assert camera == Camera.from_field_of_view(640, 480, camera.horizontal_fov)
    assert str(camera) == '90.0° x 73.7°'


def test_a_fisheye_may_see_more_than_half_of_the_world():
    camera = Camera.from_intrinsics(800, 800, matrix(230.0), 'equidistant')
    assert math.degrees(camera.horizontal_fov) == pytest.approx(199.3, abs=0.1)
    assert camera.extents == pytest.approx((400 / 230, 400 / 230))
    assert 'fisheye' in str(camera)
    assert Camera.from_intrinsics(800, 800, matrix(230.0), 'plumb_bob').horizontal_fov < math.pi


@pytest.mark.parametrize('width, height, k', [
    (640, 480, np.zeros((3, 3))),  # not calibrated
    (640, 480, matrix(math.nan)), (640, 480, matrix(math.inf)), (640, 480, matrix(-320.0)),
    (640, 480, matrix(320.0, -1.0)), (640, 480, matrix(320.0)[:2]), (0, 480, matrix(320.0)),
    (640, 0, matrix(320.0)), (2**32 - 1, 480, matrix(320.0)),
    (640, 480, matrix(60000.0)), (640, 480, matrix(1e-300)), (640, 480, matrix(1.0, 1e9))])
def test_nonsense_is_no_camera(width, height, k):
    for model in ('plumb_bob', 'equidistant', ''):
        assert Camera.from_intrinsics(width, height, k, model) is None


@pytest.mark.parametrize('degrees', [0.0, -90.0, 180.0, 200.0, math.nan])
def test_an_impossible_field_of_view_is_refused(degrees):
    with pytest.raises(ValueError, match='not possible'):
        Camera.from_field_of_view(640, 480, math.radians(degrees))


def test_a_map_gives_back_what_it_keeps():
    camera = Camera.from_intrinsics(640, 480, matrix(320.0, 384.0))
    assert Camera.from_meta(camera.to_meta()) == camera
    assert Camera.from_meta(None) is None
    sound = camera.to_meta()
    for wrong in ({}, [], 7, {**sound, 'lens': 1}, {**sound, 'projection': 'flat'},
                  {**sound, 'width': 640.5}, {**sound, 'horizontal_fov': 4.0},
                  {**sound, 'vertical_fov': '1'}):
        with pytest.raises(ValueError, match='no camera'):
            Camera.from_meta(wrong)


def info(k=None, p=None, roi=(0, 0), at=(0, 0), model='equidistant', ros1=False):
    names = ('K', 'P') if ros1 else ('k', 'p')
    matrices = (matrix(300.0) if k is None else k).ravel(), np.zeros(12) if p is None else p
    return SimpleNamespace(width=640, height=480, distortion_model=model,
                           roi=SimpleNamespace(x_offset=at[0], y_offset=at[1], width=roi[0],
                                               height=roi[1], do_rectify=False),
                           **dict(zip(names, matrices)))


@pytest.mark.parametrize('ros1', [False, True])
@pytest.mark.parametrize('topic, rectified', [
    ('/cam/image_raw', False), ('/direct/image_raw', False), ('/cam/image_rect', True),
    ('/cam/image_rect_color', True), ('/zed/rgb/rect/image', True), ('image_rectified', True)])
def test_rectified_pictures_are_those_of_the_projection(topic, rectified, ros1):
    projection = np.hstack((matrix(200.0), [[-24.0], [0], [0]])).ravel()  # of a right camera
    camera = Intrinsics.of(info(p=projection, ros1=ros1), topic).camera()
    assert camera == (Camera.from_intrinsics(640, 480, matrix(200.0)) if rectified else
                      Camera.from_intrinsics(640, 480, matrix(300.0), 'equidistant'))
    # Drivers that rectify themselves may leave P empty.
    assert Intrinsics.of(info(ros1=ros1), topic).camera() == Camera.from_intrinsics(
        640, 480, matrix(300.0), '' if rectified else 'equidistant')


def test_a_part_of_the_sensor_sees_a_part_of_the_view():
    half = Intrinsics.of(info(roi=(320, 240), model='plumb_bob'), '/cam/image_raw').camera()
    assert math.tan(half.horizontal_fov / 2) == pytest.approx(160 / 300)
    assert (half.width, half.height) == (320, 240)


def test_the_matrix_is_that_of_the_pictures_size():
    off = matrix(300.0, cx=330.0, cy=225.0)
    told = Intrinsics.of(info(off, model='plumb_bob'), '/cam/image_raw')
    assert told.of_picture(640, 480) == pytest.approx(off)
    assert told.of_picture(320, 240) == pytest.approx(matrix(150.0, cx=165.0, cy=112.5))
    part = Intrinsics.of(info(off, roi=(320, 240), at=(100, 50), model='plumb_bob'), 'image')
    assert part.of_picture(320, 240) == pytest.approx(matrix(300.0, cx=230.0, cy=175.0))
    assert Intrinsics.of(info(off), '/cam/image_raw').of_picture(640, 480) is None  # a fisheye
    assert Intrinsics.of(info(np.zeros((3, 3)), model=''), 'image').of_picture(640, 480) is None
    assert Intrinsics(off, 0, 0, '').of_picture(64, 48) == pytest.approx(off)  # of no size
    camera = Camera.from_intrinsics(640, 480, matrix(320.0, 384.0))
    assert camera.matrix == pytest.approx(matrix(320.0, 384.0))
    assert Camera.from_intrinsics(640, 480, matrix(320.0), 'fisheye').matrix is None


@pytest.mark.parametrize('image, info', [
    ('image', 'camera_info'), ('/image', '/camera_info'),
    ('/cam/image_raw', '/cam/camera_info'), ('/cam/image_raw/compressed', '/cam/camera_info'),
    ('cam/image', 'cam/camera_info')])
def test_the_topic_beside_the_images(image, info):
    assert info_topic(image) == info
