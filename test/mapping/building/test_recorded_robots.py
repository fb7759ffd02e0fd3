# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Of bags with several robots one is mapped, or the candidates are named."""


import numpy as np
import pytest
from recorded import another, drive, N, odometry, right, T, TF
from street import camera, transforms
from tetra_vpr_ros.mapping import BagError, build_map, BuildOptions


@pytest.mark.parametrize('robot', [1, 2])
def test_the_transforms_of_the_camera_s_robot_are_taken(built, images, robot):
    image_topic = f'/robot{robot}/camera/image_raw/compressed'
    own = drive() if robot == 1 else another(drive())
    table, _ = built([
        *camera(T, images, image_topic), *camera(T, images, '/robot3/image'),
        *transforms('map', 'base_link', drive(), topic='/robot1/tf'),
        *transforms('map', 'base_link', another(drive()), topic='/robot2/tf')],
        image_topic=image_topic, **TF)
    assert np.allclose(table.positions[:, 0], [x for _, x in own[:N * 5:5]])


def test_the_tree_of_a_fleet_may_begin_at_the_root(built, images):
    table, _ = built([
        *camera(T, images, '/robot1/camera/image'),
        *transforms('map', 'odom', [(stamp, 3.0) for stamp, _ in drive()]),
        *transforms('odom', 'base_link', drive(), topic='/robot1/tf'),
        *transforms('odom', 'base_link', another(drive()), topic='/robot2/tf')], **TF)
    right(table, offset=3.0)


@pytest.mark.parametrize('image_topic, names', [
    ('/camera/image', ('/robot1', '/robot2')), ('/robot3/camera/image', ('/robot1', '/robot2')),
    ('/robot1/camera/image', ('/robot2',))])
def test_transforms_of_other_robots_are_refused_and_may_be_named(
        built, images, tmp_path, tiny, image_topic, names):
    events = [*camera(T, images, image_topic)]
    for name in names:
        poses = drive() if name == '/robot2' else another(drive())
        events += transforms('map', 'base_link', poses, topic=f'{name}/tf')
    with pytest.raises(BagError, match='--tf-topic: .*/robot2/tf'):
        built(events, **TF)
    report = build_map(BuildOptions(tmp_path / 'n.vpr', (tmp_path / 'run',), model=tiny,
                                    tf_topic='/robot2/tf', **TF), progress=False)
    assert report.places == N
    with pytest.raises(BagError, match="no transform topic '/robot9/tf'.*/robot2/tf"):
        build_map(BuildOptions(tmp_path / 'o.vpr', (tmp_path / 'run',),
                               tf_topic='/robot9/tf', **TF), progress=False)


def test_the_pose_topic_of_the_camera_s_robot_is_taken(built, images):
    table, _ = built([
        *camera(T, images, '/robot1/camera/image'), *odometry(drive(), '/robot1/odom'),
        *odometry(another(drive()), '/robot2/odom')])
    right(table)


@pytest.mark.parametrize('camera_topic, pose_topic, beside', [
    ('/robot1/camera/image', '/robot2/odom', None),
    ('/bob/camera/image', '/alice/odom', '/alice/camera/image')])
def test_the_only_pose_topic_may_be_another_robot_s(built, images, camera_topic, pose_topic,
                                                    beside):
    events = [*camera(T, images, camera_topic), *odometry(drive(), pose_topic)]
    if beside:
        events += camera(T, images, beside)
    with pytest.raises(BagError, match=f'0 pose topics.*{pose_topic}.*of another robot'):
        built(events, image_topic=camera_topic)


def test_two_robots_on_one_topic_are_refused(built, images):
    with pytest.raises(BagError, match=r'/odom: its poses leap by .* two robots'):
        built([*camera(T, images), *odometry(drive()), *odometry(another(drive()))])


def test_goals_and_topics_without_messages_are_no_poses(built, images):
    table, _ = built([
        *camera(T, images), *odometry(drive()),
        (T, 'pose_stamped', {'stamp': T, 'x': 7.0, 'topic': '/goal_pose'}),
        (T, 'pose_with_covariance', {'stamp': T, 'x': 7.0, 'topic': '/initialpose'})])
    right(table)
