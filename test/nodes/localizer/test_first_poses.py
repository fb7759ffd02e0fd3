# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What others start from: as docs/nav2.md has it for each, as far as topics go."""

import re

from camera import image_message, stamped
from geometry_msgs.msg import PoseWithCovarianceStamped
import numpy as np
from processes import LOSSLESS
import pytest
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn as Outcome
from sample_data import ROOT
from sensor_msgs.msg import Image
from tetra_vpr_ros.nodes.localizer.conversions import nanoseconds

pytestmark = pytest.mark.ros

RENAMED = ('initialpose:=/rtabmap/initialpose', 'vpr/global_pose:=/rtabmap/global_pose')


def test_poses_go_where_rtabmap_and_slam_toolbox_listen(inside, probe, wall, wall_map, capfd):
    quality = {name: value for name, value in LOSSLESS.items() if '/cam.' in name}
    node = inside(*(part for rule in RENAMED for part in ('-r', rule)), map=wall_map,
                  image_topics=['/cam'], initial_pose='first_fix', odom_topic='',
                  global_pose_frame='base_link', **quality)
    assert node.trigger_configure() == Outcome.SUCCESS
    assert node.trigger_activate() == Outcome.SUCCESS
    cam = probe.publisher(Image, '/cam')
    probe.listen('/rtabmap/global_pose', PoseWithCovarianceStamped)

    def seen(condition):
        return probe.spin(lambda: node.work.spin_once(timeout_sec=0.02) or condition())

    def show(indices):
        for index in indices:
            stamp_ns, _, image = wall[index]
            cam.publish(stamped(image_message(image), stamp_ns, 'camera'))
            assert seen(lambda stamp_ns=stamp_ns: any(
                nanoseconds(answer.header.stamp) == stamp_ns
                for answer in probe.received['/vpr/candidates']))

    # Another localizer of the robot takes poses, too, but is not who waits for the first.
    context = rclpy.Context()  # its own, as another process has
    context.init()
    rear = rclpy.create_node('vpr_rear', context=context)
    told = []
    rear.create_subscription(PoseWithCovarianceStamped, '/rtabmap/initialpose', told.append, 10)
    tells = rear.create_publisher(PoseWithCovarianceStamped, '/rtabmap/initialpose', 10)
    assert seen(lambda: cam.get_subscription_count() and node.count_subscribers(
        '/rtabmap/global_pose') and probe.received['/vpr/status']
        and node.count_publishers('/rtabmap/initialpose') == 2
        and node.count_subscribers('/rtabmap/initialpose') == 2)
    show(range(5, 15))
    matches, poses = probe.received['/vpr/match'], probe.received['/rtabmap/global_pose']
    assert seen(lambda: len(matches) >= 3 and len(poses) == len(matches))
    for match, pose in zip(matches, poses):
        assert pose.header.frame_id == 'base_link'  # whose pose it is, not of which map
        assert pose.header.stamp == match.header.stamp
        assert pose.pose == match.pose
        covariance = np.reshape(pose.pose.covariance, (6, 6))
        assert (np.linalg.eigvalsh(covariance) > 0).all()
    # Who listens later still gets the first pose, once.
    first = probe.received['/rtabmap/initialpose']
    probe.listen('/rtabmap/initialpose', PoseWithCovarianceStamped)
    assert seen(lambda: any(info.node_name == 'probe' for info in
                            node.get_subscriptions_info_by_topic('/rtabmap/initialpose')))
    show(range(15, 20))
    assert seen(lambda: first)
    show(range(20, 25))
    assert len(first) == 1
    assert first[0].header.frame_id == 'map'
    covariance = np.reshape(first[0].pose.covariance, (6, 6))
    assert (covariance == np.diag(np.diag(covariance))).all()
    assert not probe.received['/initialpose']
    # Of its own pose it learns nothing, of another one of the same time it does.
    assert 'the belief starts about' not in capfd.readouterr().err
    first[0].pose.pose.position.x += 1.0
    tells.publish(first[0])
    assert seen(lambda: 'the belief starts about' in capfd.readouterr().err)
    rear.destroy_node()
    context.try_shutdown()


def test_who_keeps_no_belief_says_that_it_takes_no_pose(inside, probe, wall_map, capfd):
    node = inside(map=wall_map, image_topics=['/cam'], filter='single')
    assert node.trigger_configure() == node.trigger_activate() == Outcome.SUCCESS
    rviz = probe.publisher(PoseWithCovarianceStamped, '/initialpose')
    message = PoseWithCovarianceStamped()
    message.header.frame_id, message.pose.pose.orientation.w = 'map', 1.0
    assert probe.spin(lambda: rviz.get_subscription_count() == 2)
    rviz.publish(message)
    assert probe.spin(lambda: node.work.spin_once(timeout_sec=0.02)
                      or 'keeps no belief' in capfd.readouterr().err)


def test_the_recipes_name_these_topics():
    page = (ROOT / 'docs' / 'nav2.md').read_text()
    for topic in ('/rtabmap/initialpose', '/rtabmap/global_pose', '/initialpose', '/vpr/match',
                  '/vpr/status', '/vpr/fix', '/vpr_localize/set_region'):
        assert topic in page
    assert re.search(r'global_pose_frame: base_link', page)
