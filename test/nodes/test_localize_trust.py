# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a navigation stack asks of the localizer: fixes, priors, odometry, transforms."""

import json
import math
import os
from pathlib import Path
import shutil
import sqlite3
import time

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, NavSatFix
from std_srvs.srv import Trigger

pytestmark = pytest.mark.ros

TF2 = """
import json, os

class TransformException(Exception):
    pass

class TransformBroadcaster:
    def __init__(self, node):
        pass
    def sendTransform(self, t):
        p, r = t.transform.translation, t.transform.rotation
        with open(os.environ['FAKE_TF'] + '.sent', 'a') as file:
            file.write(json.dumps([t.header.frame_id, t.child_frame_id, p.x, p.y, p.z,
                                   r.x, r.y, r.z, r.w]) + chr(10))

class TransformListener:
    def __init__(self, buffer, node):
        pass

class Buffer:
    def lookup_transform(self, target, source, time):
        from geometry_msgs.msg import TransformStamped
        with open(os.environ['FAKE_TF']) as file:
            known = json.load(file)
        if source not in known:
            raise TransformException(f'{source} does not exist')
        found = TransformStamped()
        r = found.transform.rotation
        r.x, r.y, r.z, r.w = known[source]
        return found
"""


@pytest.fixture
def fake_tf2(tmp_path, monkeypatch):
    """Stand in for tf2_ros, which is not on PyPI, in the localizer's process."""
    if os.environ.get('ROS_DISTRO') and shutil.which('ros2'):
        pytest.skip('a full ROS 2 has the real tf2_ros')
    (tmp_path / 'tf2_ros.py').write_text(TF2)
    known = tmp_path / 'transforms.json'
    known.write_text('{}')
    monkeypatch.setenv('FAKE_TF', str(known))
    monkeypatch.setenv('PYTHONPATH', f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    return known


class Robot:
    """Publishes the drive's frames, and odometry in a frame of its own."""

    def __init__(self, probe, drive, topic='/cam', frame='camera'):
        self.probe, self.drive, self.frame = probe, drive, frame
        make = probe.node.create_publisher
        self.images = make(Image, topic, qos_profile_sensor_data)
        self.odom = make(Odometry, '/odom', qos_profile_sensor_data)

    def wait(self, localizer):
        assert self.probe.spin(lambda: self.images.get_subscription_count() > 0, 30), localizer.log

    def stamp(self, index):
        return divmod(self.drive[index][0], 10**9)

    def show(self, indices, pause=0.12, odometry=False):
        for index in indices:
            _, pose, image = self.drive[index]
            seconds, nanoseconds = self.stamp(index)
            if odometry:
                message = Odometry()
                message.header.frame_id = 'odom'
                message.header.stamp.sec, message.header.stamp.nanosec = seconds, nanoseconds
                # The odometry frame is 100 m east of the map's, and turned by 90 degrees.
                message.pose.pose.position.x = -pose.y
                message.pose.pose.position.y = pose.x - 100.0
                yaw = pose.yaw + math.pi / 2
                message.pose.pose.orientation.z = math.sin(yaw / 2)
                message.pose.pose.orientation.w = math.cos(yaw / 2)
                self.odom.publish(message)
                self.probe.spin(seconds=0.02)
            frame = Image(height=image.shape[0], width=image.shape[1], encoding='rgb8',
                          step=image.shape[1] * 3)
            frame.header.frame_id = self.frame
            frame.header.stamp.sec, frame.header.stamp.nanosec = seconds, nanoseconds
            frame.data = image.tobytes()
            self.images.publish(frame)
            self.probe.spin(seconds=pause)


@pytest.fixture
def robot(probe, drive):
    return Robot(probe, drive)


def relocalize(probe, until=lambda future: future.done(), seconds=20.0):
    client = probe.node.create_client(Trigger, '/vpr_localize/relocalize')
    assert client.wait_for_service(20.0)
    future = client.call_async(Trigger.Request())
    probe.spin(lambda: until(future), seconds)
    return future


def test_relocalize_answers_when_localized_or_too_late(start, probe, robot, map_file):
    localizer = start(map=map_file, image_topics='[/cam]', relocalize_timeout=1.0,
                      initial_pose='on_relocalize')
    probe.listen('/initialpose', PoseWithCovarianceStamped)
    probe.listen('/vpr/status', DiagnosticStatus, latched=True)
    assert 'not active' in relocalize(probe).result().message
    assert probe.change('configure')
    assert probe.change('activate')
    late = relocalize(probe).result()
    assert not late.success
    assert 'not localized within 1 s: no image has come' in late.message
    assert probe.set_parameter('relocalize_timeout', 20.0).successful
    robot.wait(localizer)
    robot.show(range(60, 70))
    assert not probe.received['/initialpose']  # nobody asked
    future = relocalize(probe, seconds=0.3)
    assert not future.done()
    robot.show(range(70, 90))
    assert probe.spin(future.done, 10), localizer.log
    assert future.result().success
    assert 'localized at place' in future.result().message
    assert 'confidence' in future.result().message
    robot.show(range(90, 100))
    assert probe.spin(lambda: probe.received['/initialpose'], 5)
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
    asked = relocalize(probe, seconds=0.3)
    assert probe.change('deactivate')
    assert probe.spin(asked.done, 5)
    assert 'deactivated' in asked.result().message


def test_the_first_fix_is_signalled_once(start, probe, robot, map_file):
    localizer = start(map=map_file, image_topics='[/cam]', autostart=True,
                      initial_pose='first_fix')
    probe.listen('/vpr/status', DiagnosticStatus, latched=True)
    probe.listen('/initialpose', PoseWithCovarianceStamped)
    robot.wait(localizer)
    robot.show(range(60, 90))
    fixes = [status for status in probe.received['/vpr/status']
             if any(v.value.startswith('first fix') for v in status.values)]
    assert len(fixes) == 1, localizer.log
    assert fixes[0].message == 'localized'
    values = probe.values()[1]
    assert float(values['first_fix']) > 1.6e9
    assert localizer.log.count('first fix: place') == 1
    assert len(probe.received['/initialpose']) == 1


def test_a_pose_to_start_from_is_taken_in_the_right_frame_only(start, probe, robot, map_file):
    localizer = start(map=map_file, image_topics='[/cam]', autostart=True)
    region = probe.node.create_publisher(
        PoseWithCovarianceStamped, '/vpr_localize/set_region', 10)
    rviz = probe.node.create_publisher(PoseWithCovarianceStamped, '/initialpose', 10)
    assert probe.spin(lambda: region.get_subscription_count() and rviz.get_subscription_count())
    message = PoseWithCovarianceStamped()
    message.header.frame_id = 'map'
    message.pose.pose.orientation.w = 1.0
    message.pose.pose.position.x = 3.5
    message.pose.covariance = [4.0 if i in (0, 7) else 0.0 for i in range(36)]
    for publisher in (region, rviz):
        publisher.publish(message)
    assert probe.spin(lambda: localizer.log.count('the belief starts about x 3.50 m') == 2, 10)
    for spoil in ('frame', 'quaternion', 'nan'):
        wrong = PoseWithCovarianceStamped(header=message.header, pose=message.pose)
        wrong.header.frame_id = 'odom' if spoil == 'frame' else 'map'
        wrong.pose.pose.orientation.w = 0.0 if spoil == 'quaternion' else 1.0
        wrong.pose.pose.position.x = math.nan if spoil == 'nan' else 0.0
        region.publish(wrong)
        probe.spin(seconds=0.2)
    assert probe.spin(lambda: localizer.log.count('pose to start from is ignored') == 3, 10)
    assert localizer.log.count('the belief starts') == 2


def test_time_that_begins_anew_is_noticed(start, probe, robot, map_file):
    localizer = start(map=map_file, image_topics='[/cam]', autostart=True)
    robot.wait(localizer)
    robot.show(range(60, 80))
    robot.show(range(10, 20))
    assert probe.spin(lambda: 'time jumped back by' in localizer.log, 10), localizer.log
    assert localizer.log.count('time jumped') == 1
    assert localizer.alive


@pytest.mark.usefixtures('fake_tf2')
def test_odometry_becomes_a_transform_from_map_to_odom(start, probe, robot, map_file, fake_tf2):
    localizer = start(map=map_file, image_topics='[/cam]', autostart=True,
                      publish_tf='map_to_odom')
    probe.listen('/vpr/match', PoseWithCovarianceStamped)
    robot.wait(localizer)
    assert probe.spin(lambda: robot.odom.get_subscription_count() > 0)
    robot.show(range(40, 100), odometry=True)
    assert len(probe.received['/vpr/match']) > 20, localizer.log
    errors = []
    for match in probe.received['/vpr/match']:
        stamp = match.header.stamp.sec * 10**9 + match.header.stamp.nanosec
        pose = next(p for s, p, _ in robot.drive if s == stamp)
        at = match.pose.pose.position
        errors.append(math.hypot(at.x - pose.x, at.y - pose.y))
    assert np.median(errors) < 0.4
    sent = Path(f'{fake_tf2}.sent').read_text().splitlines()
    frame, child, x, y, *_, qz, qw = json.loads(sent[-1])
    assert (frame, child) == ('map', 'odom')
    assert abs(x - 100.0) < 6  # headings of places are 15 degrees coarse
    assert abs(y) < 30
    yaw = 2 * math.atan2(qz, qw)
    assert abs(math.remainder(yaw + math.pi / 2, 2 * math.pi)) < 0.3


def test_without_tf2_ros_the_reason_is_told(start, probe, map_file):
    localizer = start(map=map_file, publish_tf='map_to_odom')
    assert probe.change('configure')
    assert not probe.change('activate')
    assert probe.spin(lambda: "'publish_tf' needs tf2_ros" in localizer.log, 5), localizer.log
    assert probe.set_parameter('publish_tf', 'none').successful
    assert probe.change('activate')


def test_headings_of_cameras_come_from_tf2(start, probe, map_file, drive, fake_tf2):
    optical = [-0.5, 0.5, -0.5, 0.5]  # looks ahead
    localizer = start(map=map_file, image_topics='[/cam]', autostart=True, base_frame='base_link')
    probe.listen('/vpr/match', PoseWithCovarianceStamped)
    robot = Robot(probe, drive, frame='front_optical')
    robot.wait(localizer)
    robot.show(range(60, 65))
    assert probe.spin(lambda: "no transform from 'base_link' to 'front_optical'"
                      in localizer.log, 5), localizer.log
    fake_tf2.write_text(json.dumps({'front_optical': optical}))
    robot.show(range(65, 90))
    assert 'headings of the cameras: -0.0 degrees' in localizer.log or \
        'headings of the cameras: 0.0 degrees' in localizer.log
    assert probe.received['/vpr/match']


def test_two_cameras_are_judged_together(start, probe, map_file, drive):
    localizer = start(map=map_file, image_topics='[/front, /rear]', autostart=True,
                      camera_yaws='[0.0, 180.0]', fusion_window=0.5)
    probe.listen('/vpr/match', PoseWithCovarianceStamped)
    probe.listen('/vpr/status', DiagnosticStatus, latched=True)
    front, rear = Robot(probe, drive, '/front'), Robot(probe, drive, '/rear')
    front.wait(localizer)
    rear.wait(localizer)
    probe.received['/vpr/status'].clear()
    for index in range(60, 90):
        front.show([index], pause=0.0)
        rear.drive = [(stamp, pose, np.full_like(image, 90)) for stamp, pose, image in drive]
        rear.show([index], pause=0.15)
    statuses = [s for s in probe.received['/vpr/status'] if len(s.values) > 2]
    assert 20 < len(statuses) <= 32  # one for both frames
    assert probe.received['/vpr/match'], localizer.log
    wrong = start(map=map_file, image_topics='[/front, /rear]', camera_yaws='[0.0, 1.0, 2.0]',
                  autostart=True)
    assert probe.spin(lambda: 'camera_yaws has 3 headings for the 2 image_topics' in wrong.log,
                      20), wrong.log


def test_a_geo_tagged_map_gives_fixes(start, probe, robot, map_file, tmp_path):
    tagged = tmp_path / 'tagged.vpr'
    shutil.copy(map_file, tagged)
    with sqlite3.connect(tagged) as db:
        db.execute('UPDATE place SET latitude = 47 + y / 111000, longitude = 8 + x / 76000, '
                   'altitude = 400')
    localizer = start(map=tagged, image_topics='[/cam]', autostart=True)
    probe.listen('/vpr/fix', NavSatFix)
    robot.wait(localizer)
    robot.show(range(60, 90))
    fix, pose = probe.received['/vpr/fix'][-1], robot.drive[89][1]
    assert abs((fix.latitude - 47) * 111000 - pose.y) < 2
    assert abs((fix.longitude - 8) * 76000 - pose.x) < 2
    assert fix.altitude == pytest.approx(400)
    assert fix.position_covariance_type == NavSatFix.COVARIANCE_TYPE_KNOWN
    assert fix.position_covariance[0] > 0


def test_verification_takes_the_intrinsics_of_the_camera(start, probe, robot, bag, tmp_path):
    from tetra_vpr_ros.mapping import build_map, BuildOptions
    path = tmp_path / 'featured.vpr'
    build_map(BuildOptions(bags=(bag,), output=path, features=True), progress=False)
    localizer = start(map=path, image_topics='[/cam/image_raw]', autostart=True,
                      verification='orb', filter='single')
    robot = Robot(probe, robot.drive, '/cam/image_raw')
    probe.listen('/vpr/match', PoseWithCovarianceStamped)
    info = probe.node.create_publisher(CameraInfo, '/cam/camera_info', qos_profile_sensor_data)
    robot.wait(localizer)
    assert probe.spin(lambda: info.get_subscription_count() > 0)
    message = CameraInfo(height=480, width=640)
    message.k = [320.0, 0.0, 320.0, 0.0, 320.0, 240.0, 0.0, 0.0, 1.0]
    info.publish(message)
    time.sleep(0.3)
    robot.show(range(60, 80), pause=0.2)
    assert len(probe.received['/vpr/match']) > 5, localizer.log


@pytest.mark.parametrize('name', ['seqslam', 'single'])
def test_other_filters(start, probe, robot, map_file, name):
    localizer = start(map=map_file, image_topics='[/cam]', autostart=True, filter=name,
                      sequence_length=4)
    probe.listen('/vpr/match', PoseWithCovarianceStamped)
    robot.wait(localizer)
    robot.show(range(40, 90))
    assert len(probe.received['/vpr/match']) > 10, localizer.log
    assert f'filter {name}' in localizer.log
