# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The localizer hears how much its camera sees: headings, and cameras other than the map's."""

import math
import shutil
from types import SimpleNamespace

from camera import Robot, stamped
import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage
from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.nodes.localizer.frame.lenses import Lenses

pytestmark = pytest.mark.ros

CELL = 34  # pixels of a picture of 480


def k(focal, width=480, height=360):
    return [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0]


@pytest.fixture
def lens_map(wall_map, tmp_path):
    """Return a map whose camera sees 90 degrees."""
    path = shutil.copy(wall_map, tmp_path / 'lens.vpr')
    with PlaceMap.open_file(path, writable=True) as opened:
        opened.set_meta(camera=Camera.from_field_of_view(480, 360, math.pi / 2).to_meta())
    return path


def heading(probe):
    """Return the yaw of the best candidate, degrees."""
    o = probe.received['/vpr/candidates'][-1].poses[0].orientation
    return math.degrees(2 * math.atan2(o.z, o.w))


def test_the_heading_follows_parameter_camera_info_and_map(bring_up, probe, wall, wall_map,
                                                           lens_map):
    turned = [(stamp, pose, np.hstack([here[:, CELL:], there[:, 405:405 + CELL]]))
              for (stamp, pose, here), (_, _, there) in zip(wall, wall[1:])]

    def seen(path, focal, frame, **parameters):
        localizer = bring_up(map=path, image_topics=['/cam/image_raw'], filter='single',
                             **parameters)
        robot = Robot(probe, turned, '/cam/image_raw', intrinsics=None if focal is None
                      else k(focal))
        robot.wait(localizer)
        probe.forget()  # these frames may have been answered before
        robot.show(range(frame, frame + 8))  # by the last the first's camera_info has come
        assert probe.change('deactivate')
        assert probe.change('cleanup')
        assert 'cropped or padded' not in localizer.log
        return heading(probe)

    assert seen(wall_map, None, 10) == 0.0  # nobody knows
    assert seen(wall_map, 0.0, 12) == 0.0   # not calibrated
    told = seen(wall_map, 240.0, 14)
    assert -14.0 < told < -4.0  # to the right
    assert seen(lens_map, None, 14) == pytest.approx(told)  # as the map's camera
    given = seen(wall_map, None, 14, horizontal_fov=45.0)
    assert told < given < 0.0


def test_a_narrower_camera_is_fitted_to_the_map(bring_up, probe, wall, lens_map):
    narrow = [(stamp, pose, image[36:324, 48:432].copy()) for stamp, pose, image in wall]
    localizer = bring_up(map=lens_map, image_topics=['/cam/image_raw'], filter='single')
    robot = Robot(probe, narrow, '/cam/image_raw', intrinsics=k(240.0, 384, 288))
    robot.wait(localizer)
    shown = 10
    while 'its pictures are cropped or padded' not in localizer.log:  # camera_info may come later
        assert shown < 30, localizer.log
        robot.show([shown])
        shown += 1
    already = len(probe.received['/vpr/candidates'])
    robot.show(range(shown, shown + 5))
    assert localizer.log.count('its pictures are cropped or padded') == 1, localizer.log
    assert 'the camera sees 77.3°' in localizer.log
    best = [message.poses[0].position.x
            for message in probe.received['/vpr/candidates'][already:]]
    assert np.allclose(best, [wall[i][1].x for i in range(shown, shown + 5)], atol=0.6)


def test_a_camera_that_looks_down_has_no_upright(bring_up, probe, wall, wall_map):
    """The robot drives over its map backwards: its pictures stand on their heads."""
    turned = [(stamp, pose, np.ascontiguousarray(np.rot90(image, 2)))
              for stamp, pose, image in wall]
    localizer = bring_up(map=wall_map, image_topics=['/cam/image_raw'], filter='single',
                         camera_mount='down')
    robot = Robot(probe, turned, '/cam/image_raw')
    robot.wait(localizer)
    robot.show(range(10, 14))
    best = [message.poses[0].position.x for message in probe.received['/vpr/candidates']]
    assert np.allclose(best, [wall[i][1].x for i in range(10, 14)], atol=0.6)
    assert abs(heading(probe)) == pytest.approx(180.0, abs=1.0)


def test_large_jpegs_are_decoded_smaller_and_found_all_the_same(bring_up, probe, wall, wall_map):
    localizer = bring_up(map=wall_map, image_topics=['/cam'], image_transport='compressed',
                         filter='single')
    publisher = probe.publisher(CompressedImage, '/cam/compressed')
    assert probe.spin(lambda: probe.received['/vpr/status']
                      and publisher.get_subscription_count()), localizer.log
    for index in (10, 20):
        stamp, _, image = wall[index]
        large = cv2.resize(image, (1440, 1080), interpolation=cv2.INTER_CUBIC)
        data = cv2.imencode('.jpg', large[:, :, ::-1])[1].tobytes()
        publisher.publish(stamped(CompressedImage(format='jpeg', data=data), stamp))
        assert probe.answered(stamp), localizer.log
    best = [message.poses[0].position.x for message in probe.received['/vpr/candidates']]
    assert np.allclose(best, [wall[i][1].x for i in (10, 20)], atol=0.6)


def test_what_a_crop_will_leave_decides_how_small_a_jpeg_is_decoded():
    wide = Camera.from_field_of_view(480, 360, math.pi / 2)
    narrow = Camera.from_field_of_view(480, 360, math.pi / 3)

    def fewest(own, mapping, horizontal_fov=0.0):
        node = SimpleNamespace(get_parameter=lambda _: SimpleNamespace(value=horizontal_fov))
        lenses = Lenses(node, SimpleNamespace(mapping_camera=mapping),
                        SimpleNamespace(cameras={0: own} if own else {}))
        return lenses.fewest_pixels(0, 100)

    assert fewest(wide, None) == fewest(None, wide) == fewest(wide, wide) == 100
    assert fewest(narrow, wide) == 100  # is padded
    assert fewest(wide, narrow) == math.ceil(100 / math.tan(math.pi / 6))
    assert fewest(wide, wide, 45.0) == 0  # its height is not known before it is decoded
