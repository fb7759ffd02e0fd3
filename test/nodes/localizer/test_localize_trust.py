# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a navigation stack asks of the localizer: fixes, priors, odometry, transforms."""

from importlib.util import find_spec
import itertools
import json
import math
import os
from pathlib import Path
import shutil
import sqlite3
import sys

from camera import Robot
from geometry_msgs.msg import PoseWithCovarianceStamped
import numpy as np
from processes import SharedLocalizer
import pytest
from sensor_msgs.msg import NavSatFix
from std_srvs.srv import Trigger
from tetra_vpr_ros.nodes.localizer.conversions import nanoseconds

pytestmark = pytest.mark.ros


@pytest.fixture(scope='module')
def tf2_localizer(tmp_path_factory):
    """Return a localizer with a stand-in for tf2_ros, which is not on PyPI, and its folder."""
    if find_spec('tf2_ros') is not None:
        pytest.skip('the real tf2_ros is installed')
    folder = tmp_path_factory.mktemp('tf2')
    shutil.copy(Path(__file__).parents[1] / 'fake_tf2.py', folder / 'tf2_ros.py')
    made = SharedLocalizer(folder / 'log.txt', 'vpr_with_tf2', {
        'FAKE_TF': str(folder / 'transforms.json'),
        'PYTHONPATH': f"{folder}:{os.environ.get('PYTHONPATH', '')}"})
    yield made, folder / 'transforms.json'
    made.stop()


@pytest.fixture
def fake_tf2(tf2_localizer, probe):
    """Return how to borrow it, active, and the file of the transforms that it knows."""
    made, known = tf2_localizer
    known.write_text('{}')

    def bringing_up(**parameters):
        localizer = made.lend(probe, **parameters)
        assert probe.change('configure'), localizer.log
        assert probe.change('activate'), localizer.log
        return localizer

    yield bringing_up, known
    made.take_back(probe)


def relocalize(probe):
    """Ask, and return the future answer."""
    return probe.known('relocalize', Trigger).call_async(Trigger.Request())


def told(probe, future):
    assert probe.spin(future.done)
    return future.result()


def test_relocalize_answers_when_localized_or_too_late(borrow, probe, robot, map_file):
    localizer = borrow(map=map_file, image_topics=['/cam'], relocalize_timeout=1.0,
                       initial_pose='on_relocalize')

    def ask_and_be_heard():
        probe.received['/vpr/status'].clear()
        future = relocalize(probe)
        assert probe.spin(lambda: any(
            probe.values_of(status)[1]['detail'] == 'the belief is forgotten'
            for status in probe.received['/vpr/status'])), localizer.log
        return future

    assert 'not active' in told(probe, relocalize(probe)).message
    assert probe.change('configure')
    assert probe.change('activate')
    late = told(probe, relocalize(probe))
    assert not late.success
    assert 'not localized within 1 s: no usable image has come' in late.message
    assert probe.set_parameter('relocalize_timeout', 600.0).successful
    robot.wait(localizer)
    robot.show(range(60, 70))
    assert not probe.received['/initialpose']  # nobody asked
    future = ask_and_be_heard()
    assert not future.done()
    robot.show(range(70, 90))
    result = told(probe, future)
    assert result.success, localizer.log
    assert 'localized at place' in result.message
    assert 'confidence' in result.message
    robot.show(range(90, 100))
    assert probe.spin(lambda: probe.received['/initialpose'])
    message, = probe.received['/initialpose']
    assert message.header.frame_id == 'map'
    assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec in {
        stamp for stamp, _, _ in robot.drive}
    covariance = np.reshape(message.pose.covariance, (6, 6))
    assert (covariance >= 0).all()
    assert (np.diag(covariance) > 0).all()
    o = message.pose.pose.orientation
    assert math.isclose(o.x**2 + o.y**2 + o.z**2 + o.w**2, 1.0, abs_tol=1e-9)
    assert 'the belief starts' not in localizer.log  # its own pose is not taken back
    asked = ask_and_be_heard()
    assert probe.change('deactivate')
    assert 'deactivated' in told(probe, asked).message


def test_the_first_fix_is_signalled_once(bring_up, probe, robot, map_file):
    localizer = bring_up(map=map_file, image_topics=['/cam'], initial_pose='first_fix')
    robot.wait(localizer)
    robot.show(range(60, 90))

    def fixes():
        return [status for status in probe.received['/vpr/status']
                if any(v.value.startswith('first fix') for v in status.values)]

    assert probe.spin(lambda: fixes() and probe.received['/initialpose']), localizer.log
    assert len(fixes()) == 1, localizer.log
    assert fixes()[0].message == 'localized'
    assert probe.spin(lambda: float(probe.values()[1].get('first_fix') or 0) > 1.6e9)
    assert localizer.log.count('first fix: place') == 1
    assert len(probe.received['/initialpose']) == 1
    assert probe.change('deactivate')
    assert probe.spin(lambda: probe.values()[0] == 'no images')
    assert float(probe.values()[1]['first_fix']) > 1.6e9


def test_a_pose_to_start_from_is_taken_in_the_right_frame_only(bring_up, probe, wall_map):
    localizer = bring_up(map=wall_map, image_topics=['/cam'])
    region = probe.publisher(PoseWithCovarianceStamped, f'/{localizer.name}/set_region')
    rviz = probe.publisher(PoseWithCovarianceStamped, '/initialpose')
    assert probe.spin(lambda: region.get_subscription_count()
                      and rviz.get_subscription_count() == 2)  # the probe listens, too
    message = PoseWithCovarianceStamped()
    message.header.frame_id = 'map'
    message.pose.pose.orientation.w = 1.0
    message.pose.pose.position.x = 3.5
    message.pose.covariance = [4.0 if i in (0, 7) else 0.0 for i in range(36)]
    for publisher in (region, rviz):
        publisher.publish(message)
    assert probe.spin(lambda: localizer.log.count('the belief starts about x 3.50 m') == 2)
    for ignored, spoil in enumerate(('frame', 'quaternion', 'nan', 'far'), 1):
        wrong = PoseWithCovarianceStamped(header=message.header, pose=message.pose)
        wrong.header.frame_id = 'odom' if spoil == 'frame' else 'map'
        wrong.pose.pose.orientation.w = 0.0 if spoil == 'quaternion' else 1.0
        wrong.pose.pose.position.x = {'nan': math.nan, 'far': sys.float_info.max}.get(spoil, 0.0)
        region.publish(wrong)
        assert probe.spin(lambda ignored=ignored: localizer.log.count(
            'pose to start from is ignored') == ignored), localizer.log
    assert localizer.log.count('the belief starts') == 2
    assert localizer.log.count("it must be in frame 'map', not 'odom'") == 1
    assert localizer.log.count('must be finite, its orientation a quaternion') == 3
    message.pose.pose.position.x, message.pose.covariance = 3.5, np.full(36, 1e20)  # no inverse
    region.publish(message)
    assert probe.spin(lambda: localizer.log.count('the belief starts') == 3)
    assert probe.state() == 'active'


def test_odometry_becomes_a_transform_from_map_to_odom(fake_tf2, probe, robot, map_file):
    bring_up, known = fake_tf2
    localizer = bring_up(map=map_file, image_topics=['/cam'], publish_tf='map_to_odom')
    robot.wait(localizer)
    assert probe.spin(lambda: robot.odom.get_subscription_count() > 0)
    robot.show(range(40, 100), odometry=True)
    assert len(probe.received['/vpr/match']) > 20, localizer.log
    probe.received['/diagnostics'].clear()
    assert probe.spin(lambda: probe.received['/diagnostics'])
    health = probe.values('/diagnostics')[1]
    assert probe.received['/diagnostics'][-1].status[0].name == '/vpr_with_tf2: localization'
    assert float(health['share with odometry'].removesuffix(' %')) > 90
    assert 0 < float(health['latency p50 ms']) <= float(health['latency max ms'])
    assert float(health['frequency Hz']) > 0
    assert health['map'] == str(map_file)
    assert 'confidence' in health
    errors = []
    for match in probe.received['/vpr/match']:
        stamp = match.header.stamp.sec * 10**9 + match.header.stamp.nanosec
        pose = next(p for s, p, _ in robot.drive if s == stamp)
        at = match.pose.pose.position
        errors.append(math.hypot(at.x - pose.x, at.y - pose.y))
    assert np.median(errors) < 0.4
    sent = Path(f'{known}.sent').read_text().splitlines()
    frame, child, x, y, *_, qz, qw, _ = json.loads(sent[-1])
    assert (frame, child) == ('map', 'odom')
    assert abs(x - 100.0) < 6  # headings of places are 15 degrees coarse
    assert abs(y) < 30
    yaw = 2 * math.atan2(qz, qw)
    assert abs(math.remainder(yaw + math.pi / 2, 2 * math.pi)) < 0.3

    def stamps():
        return [json.loads(line)[-1] for line in Path(f'{known}.sent').read_text().splitlines()]

    # Without a frame it is sent again and again, dated ahead of the last match.
    already, last = len(sent), probe.received['/vpr/match'][-1].header.stamp
    assert probe.spin(lambda: len(stamps()) > already + 10)
    found = stamps()[-10:]
    assert all(first < second for first, second in itertools.pairwise(found))
    assert found[0] - nanoseconds(last) > 1e9
    assert probe.spin(lambda: '/odom (nav_msgs/msg/Odometry, reliable, volatile) is published '
                      'by /probe' in localizer.log), localizer.log
    assert probe.change('deactivate')
    at_the_end = len(stamps())
    probe.spin(seconds=0.3)
    assert len(stamps()) == at_the_end


@pytest.mark.skipif(find_spec('tf2_ros') is not None, reason='tf2_ros is installed')
def test_without_tf2_ros_the_reason_is_told(borrow, probe, wall_map):
    localizer = borrow(map=wall_map, publish_tf='map_to_odom')
    assert probe.change('configure')
    assert not probe.change('activate')
    assert probe.spin(lambda: "'publish_tf' needs tf2_ros" in localizer.log), localizer.log
    assert probe.set_parameter('publish_tf', 'none').successful
    assert probe.change('activate')


def test_headings_of_cameras_come_from_tf2(fake_tf2, probe, map_file, drive):
    bring_up, known = fake_tf2
    optical = [-0.5, 0.5, -0.5, 0.5]  # looks ahead
    localizer = bring_up(map=map_file, image_topics=['/cam'], base_frame='base_link')
    robot = Robot(probe, drive, frame='front_optical')
    robot.wait(localizer)
    robot.publish(60)  # no answer yet; what is wrong with it is told after it, too
    assert probe.spin(lambda: "no transform from 'base_link' to 'front_optical'"
                      in localizer.log), localizer.log
    assert probe.spin(lambda: any(
        'the last one was refused: /cam: no transform' in probe.values_of(message)[1]['detail']
        for message in probe.received['/vpr/status'])), probe.received['/vpr/status'][-1]
    assert not probe.received['/vpr/candidates']
    known.write_text(json.dumps({'front_optical': optical}))
    robot.show(range(65, 90))
    assert 'headings of the cameras: -0.0 degrees' in localizer.log or \
        'headings of the cameras: 0.0 degrees' in localizer.log
    assert probe.received['/vpr/match']


def test_two_cameras_are_judged_together(borrow, probe, map_file, drive):
    localizer = borrow(map=map_file, image_topics=['/front', '/rear'],
                       camera_yaws=[0.0, 1.0, 2.0])
    assert not probe.change('configure')
    assert probe.spin(lambda: 'camera_yaws has 3 headings for the 2 image_topics'
                      in localizer.log), localizer.log
    assert probe.set_parameter('camera_yaws', [0.0, 180.0]).successful
    assert probe.set_parameter('fusion_window', 1.0).successful
    assert probe.change('configure')
    assert probe.change('activate')
    front = Robot(probe, drive, '/front')
    rear = Robot(probe, [(stamp, pose, np.full_like(image, 90)) for stamp, pose, image in drive],
                 '/rear')
    front.wait(localizer)
    rear.wait(localizer)
    probe.received['/vpr/status'].clear()
    for index in range(60, 90):
        front.publish(index)
        rear.show([index])
    statuses = [s for s in probe.received['/vpr/status'] if len(s.values) > 2]
    assert 20 < len(statuses) <= 32  # one for both frames
    assert probe.received['/vpr/match'], localizer.log


def test_a_geo_tagged_map_gives_fixes(bring_up, probe, robot, map_file, tmp_path):
    tagged = tmp_path / 'tagged.vpr'
    shutil.copy(map_file, tagged)
    with sqlite3.connect(tagged) as db:
        db.execute('UPDATE place SET latitude = 47 + y / 111000, longitude = 8 + x / 76000, '
                   'altitude = 400')
    localizer = bring_up(map=tagged, image_topics=['/cam'])
    robot.wait(localizer)
    robot.show(range(60, 90))
    assert probe.received['/vpr/fix'], localizer.log
    fix, pose = probe.received['/vpr/fix'][-1], robot.drive[89][1]
    assert abs((fix.latitude - 47) * 111000 - pose.y) < 2
    assert abs((fix.longitude - 8) * 76000 - pose.x) < 2
    assert fix.altitude == pytest.approx(400)
    assert fix.position_covariance_type == NavSatFix.COVARIANCE_TYPE_KNOWN
    assert fix.position_covariance[0] > 0
    assert fix.header.frame_id == 'base_link'  # whose position it is, as the message wants it


def test_verification_takes_the_intrinsics_of_the_camera(bring_up, probe, drive, featured_map):
    localizer = bring_up(map=featured_map, image_topics=['/cam/image_raw'], verification='orb',
                         filter='single')
    robot = Robot(probe, drive, '/cam/image_raw',
                  intrinsics=[320.0, 0.0, 320.0, 0.0, 320.0, 240.0, 0.0, 0.0, 1.0])
    robot.wait(localizer)
    robot.show(range(60, 80))
    assert len(probe.received['/vpr/match']) > 5, localizer.log


def test_another_filter(bring_up, probe, robot, map_file):
    localizer = bring_up(map=map_file, image_topics=['/cam'], filter='single')
    robot.wait(localizer)
    robot.show(range(40, 90))
    assert len(probe.received['/vpr/match']) > 10, localizer.log
    assert 'filter single' in localizer.log


@pytest.mark.parametrize('count', [5, 0])
def test_a_second_look_is_taken_where_it_is_wanted(bring_up, probe, wall_robot, wall_map, count):
    localizer = bring_up(map=wall_map, image_topics=['/cam'], filter='single', second_look=count)
    wall_robot.wait(localizer)
    probe.received['/vpr/status'].clear()
    wall_robot.show(range(10, 15))

    def scores():
        told = [probe.values_of(status)[1] for status in probe.received['/vpr/status']]
        return [values['score'] for values in told if 'score' in values]

    assert probe.spin(lambda: len(scores()) >= 5)
    if count:
        assert all(0.5 < float(score) <= 1.0 for score in scores()), scores()
    else:
        assert not any(scores())
    assert 'reencode' not in localizer.log


def test_what_a_map_without_tokens_lacks_is_told_once(borrow, probe, wall_map, tmp_path):
    old = tmp_path / 'old.vpr'
    shutil.copy(wall_map, old)
    with sqlite3.connect(old) as db:
        db.execute('DELETE FROM token')
    localizer = borrow(map=old)
    assert probe.change('configure')
    assert probe.spin(lambda: 'has no patch tokens' in localizer.log), localizer.log
    assert localizer.log.count(f'vpr_map reencode {old}') == 1
