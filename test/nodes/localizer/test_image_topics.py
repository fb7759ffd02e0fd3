# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which topics are subscribed to, and what is said when nothing comes on them."""

from geometry_msgs.msg import PoseStamped
import pytest
from rclpy.lifecycle import TransitionCallbackReturn as Outcome
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

pytestmark = pytest.mark.ros


@pytest.mark.parametrize('name, transport, remapped, topic, info', [
    ('/cam/image_raw', 'raw', (), '/cam/image_raw', '/cam/camera_info'),
    ('/cam/image_raw', 'compressed', (), '/cam/image_raw/compressed', '/cam/camera_info'),
    ('/cam/image_raw/compressed', 'raw', (), '/cam/image_raw/compressed', '/cam/camera_info'),
    ('/cam/image_raw/compressed', 'compressed', (), '/cam/image_raw/compressed',
     '/cam/camera_info'),
    ('image', 'raw', ('image:=/cam/image_raw',), '/cam/image_raw', '/cam/camera_info'),
    ('image', 'compressed', ('image:=/cam/image_raw',), '/cam/image_raw/compressed',
     '/cam/camera_info'),
    ('image', 'raw', ('image:=/cam/image_raw/compressed',), '/cam/image_raw/compressed',
     '/cam/camera_info'),
    ('image/compressed', 'raw', ('image:=/cam/image_raw',), '/cam/image_raw/compressed',
     '/cam/camera_info'),
    ('image', 'compressed', ('image/compressed:=/jpegs',), '/jpegs', '/camera_info'),
    ('image', 'raw', ('image:=/cam', 'camera_info:=/elsewhere'), '/cam', '/elsewhere'),
    ('/a', 'raw', ('/a:=/b', '/b:=/a'), '/b', '/camera_info'),
    ('image', 'compressed', ('__ns:=/robot1',), '/robot1/image/compressed',
     '/robot1/camera_info')])
def test_names_are_resolved_and_suffixes_understood(inside, wall_map, name, transport, remapped,
                                                    topic, info):
    rules = [part for rule in remapped for part in ('-r', rule)]
    node = inside(*rules, map=wall_map, image_topics=[name], image_transport=transport)
    assert node.trigger_configure() == Outcome.SUCCESS
    assert node.trigger_activate() == Outcome.SUCCESS
    found = {s.topic_name: s.msg_type for s in node.subscriptions}
    assert found[topic] is (CompressedImage if topic.endswith(('compressed', 'jpegs')) else Image)
    assert info in found


@pytest.fixture
def complaint(inside, probe, wall_map, capfd):
    """Return what a localizer says in log and status while nothing comes."""

    def complaining(*arguments, known=1, **parameters):
        node = inside(*arguments, map=wall_map, no_image_timeout=0.1, **parameters)
        assert node.trigger_configure() == Outcome.SUCCESS
        assert node.trigger_activate() == Outcome.SUCCESS
        topics = [f'{topic}{end}' for topic in parameters['image_topics']
                  for end in ('', '/compressed')]
        assert probe.spin(lambda: sum(
            found.node_name == 'probe' for topic in topics
            for found in node.get_publishers_info_by_topic(topic)) == known)
        capfd.readouterr()

        def said():
            node.work.spin_once(timeout_sec=0.1)
            return probe.received['/vpr/status'] and probe.values()[0] == 'no images'

        assert probe.spin(said)
        warnings = [line.partition(']: ')[2] for line in capfd.readouterr().err.splitlines()
                    if 'no image: ' in line]
        assert len(warnings) == 1  # throttled
        assert probe.spin(lambda: probe.values()[1]['detail'] == warnings[0])
        return warnings[0]

    return complaining


def test_nobody_publishes(complaint):
    said = complaint(image_topics=['/nobody'], known=0)
    assert said.startswith('no image: /nobody (sensor_msgs/msg/Image, best effort, volatile) is '
                           'published by nobody; ')
    assert '/vpr/match_image' not in said  # what it publishes itself is no camera


def test_only_the_other_form_is_published(complaint, probe):
    probe.publisher(CompressedImage, '/packed/compressed')
    probe.publisher(Image, '/plain')
    probe.publisher(CompressedImage, '/mistaken')
    assert complaint(image_topics=['/packed', '/mistaken'], known=2, camera_yaws=[0.0]) == (
        'no image: /packed (sensor_msgs/msg/Image, best effort, volatile) is published by nobody; '
        '/packed/compressed (sensor_msgs/msg/CompressedImage) is: set image_transport to '
        'compressed; /mistaken (sensor_msgs/msg/Image, best effort, volatile) is published by '
        '/probe as sensor_msgs/msg/CompressedImage: remap it to a name that ends in /compressed')


def test_the_raw_form_alone_is_published(complaint, probe):
    probe.publisher(Image, '/plain')
    assert complaint(image_topics=['/plain'], image_transport='compressed').endswith(
        '/plain (sensor_msgs/msg/Image) is: set image_transport to raw')


def test_qos_does_not_fit_or_nothing_is_sent(complaint, probe):
    probe.publisher(Image, '/unsure', QoSProfile(
        depth=1, reliability=ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.VOLATILE))
    probe.publisher(Image, '/paused')
    said = complaint('-p', 'qos_overrides./unsure.subscription.reliability:=reliable',
                     image_topics=['/unsure', '/paused'], known=2, camera_yaws=[0.0])
    assert ('/unsure (sensor_msgs/msg/Image, reliable, volatile) is published by /probe as best '
            'effort, volatile, which does not fit') in said
    assert 'change qos_overrides./unsure.subscription.… of this node or the publisher' in said
    assert ('/paused (sensor_msgs/msg/Image, best effort, volatile) is published by /probe '
            '(reliable, volatile), but nothing comes') in said


def test_two_names_of_one_topic_are_refused(inside, capfd, wall_map):
    node = inside('-r', 'left:=/cam', '-r', 'right:=/cam', map=wall_map,
                  image_topics=['left', 'right'], camera_yaws=[0.0, 90.0])
    assert node.trigger_configure() == Outcome.SUCCESS
    assert node.trigger_activate() == Outcome.FAILURE
    assert ("cannot activate: image_topics: 'right' and another of them are one topic, /cam"
            in capfd.readouterr().err)


def test_odometry_of_another_type_is_told(inside, probe, capfd, wall_map):
    probe.publisher(PoseStamped, '/my/odom')
    node = inside(map=wall_map, image_topics=['/cam'], odom_topic='/my/odom')
    assert node.trigger_configure() == node.trigger_activate() == Outcome.SUCCESS
    told = []

    def said():
        node.work.spin_once(timeout_sec=0.1)
        told.extend(line for line in capfd.readouterr().err.splitlines() if 'no odometry' in line)
        return told

    assert probe.spin(said)
    assert told[0].endswith('is published by /probe as geometry_msgs/msg/PoseStamped: name a '
                            'topic of nav_msgs/msg/Odometry')


def test_overrides_of_qos_that_nothing_takes_are_told(inside, capfd, wall_map):
    node = inside('-p', 'qos_overrides./cam.subscription.relaibility:=reliable',
                  '-p', 'qos_overrides./other.subscription.depth:=1',
                  '-p', 'qos_overrides./cam.subscription.depth:=1',
                  map=wall_map, image_topics=['/cam'])
    assert node.trigger_configure() == node.trigger_activate() == Outcome.SUCCESS
    [told] = [line for line in capfd.readouterr().err.splitlines() if 'no subscription' in line]
    assert ('qos_overrides./cam.subscription.relaibility, qos_overrides./other.subscription.depth:'
            ' no subscription of this node takes that') in told
    assert '/cam.subscription.reliability' in told and '/cam.subscription.depth,' in told
