# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""No transition fails without a word, and none leaves anything behind."""

import shutil
import sqlite3
import threading

import fake_tf2
import pytest
from rclpy.lifecycle import TransitionCallbackReturn as Outcome
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy

pytestmark = pytest.mark.ros


def errors(capfd):
    """Return the errors that were logged since the last call."""
    return [line.rpartition(']: ')[2] for line in capfd.readouterr().err.splitlines()
            if line.startswith('[ERROR]')]


def one_error(capfd, begins, says):
    """Check that there was one line of an error, how it begins and what it says."""
    found = errors(capfd)
    assert len(found) == 1, found
    assert found[0].startswith(begins)
    assert says in found[0]


def held(node):
    """Return how much of each kind a node and its process hold."""
    return {'publishers': len(list(node.publishers)),
            'subscriptions': len(list(node.subscriptions)),
            'timers': len(list(node.timers)), 'services': len(list(node.services)),
            'waitables': len(list(node.waitables)), 'managed': len(node._managed_entities),
            'threads': threading.active_count()}


def spoil(path, sql):
    with sqlite3.connect(path) as db:
        db.execute(sql)
    return path


def unforeseen(*args):
    raise RuntimeError('nobody has\nforeseen this')


def set_to(node, **values):
    for name, value in values.items():
        assert node.set_parameters([Parameter(name, value=value)])[0].successful


def test_whatever_fails_in_configure_is_one_error_and_can_be_repeated(
        inside, capfd, wall_map, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    broken = spoil(shutil.copy(wall_map, tmp_path / 'broken.vpr'), 'DROP TABLE place')
    node = inside()
    before = held(node)
    cases = [({'map': ''}, "the parameter 'map' is empty"),
             ({'map': 'nowhere.vpr'}, f'no map file nowhere.vpr in the folder {tmp_path}'),
             ({'map': str(broken)}, 'broken.vpr'),
             ({'map': str(wall_map), 'model': 'none.onnx'}, f'none.onnx in the folder {tmp_path}'),
             ({'model': '', 'camera_yaws': [0.0, 1.0]}, 'camera_yaws has 2 headings for the 1'),
             ({'camera_yaws': [0.0], 'verification': 'orb'}, 'features')]
    for values, says in cases:
        set_to(node, **values)
        assert node.trigger_configure() == Outcome.FAILURE
        one_error(capfd, 'cannot configure: ', says)
        assert held(node) == before
    set_to(node, verification='none')
    with monkeypatch.context() as patched:
        patched.setattr('tetra_vpr_ros.nodes.localizer.node.load', unforeseen)
        assert node.trigger_configure() == Outcome.FAILURE
    assert errors(capfd) == ['cannot configure: RuntimeError: nobody has foreseen this']
    assert node.trigger_configure() == Outcome.SUCCESS


@pytest.mark.parametrize('arguments, parameters, says', [
    (['-p', 'qos_overrides./cam.subscription.reliability:=relyable'], {},
     'image_topics: /cam cannot be subscribed to'),
    (['-p', 'qos_overrides./odom.subscription.depth:=many'], {},
     'qos_overrides./odom.subscription'),
    ([], {'image_topics': ['/cam', '/cam/theora']}, "'/cam/theora' has the transport 'theora'"),
    ([], {'publish_tf': 'map_to_odom'}, "'publish_tf' needs tf2_ros"),
    ([], {'base_frame': 'base_link'}, "'base_frame' needs tf2_ros"),
    ([], {'bond': True}, "'bond' needs bondpy")])
def test_whatever_fails_in_activate_is_one_error_and_leaves_nothing(
        inside, capfd, wall_map, arguments, parameters, says, monkeypatch):
    for module in ('tf2_ros', 'bondpy', 'bondpy.bondpy'):
        monkeypatch.setitem(__import__('sys').modules, module, None)
    node = inside(*arguments, map=wall_map, **{'image_topics': ['/cam'], **parameters})
    assert node.trigger_configure() == Outcome.SUCCESS
    before = held(node)
    capfd.readouterr()
    for _ in range(2):
        assert node.trigger_activate() == Outcome.FAILURE
        one_error(capfd, 'cannot activate: ', says)
        assert held(node) == before
    if parameters:
        set_to(node, image_topics=['/cam'], publish_tf='none', base_frame='', bond=False)
        assert node.trigger_activate() == Outcome.SUCCESS
        assert node._loaded.shared.localizer is not None  # also after tf2 was to be asked


def test_an_unforeseen_error_ends_where_the_node_can_begin_anew(inside, capfd, wall_map,
                                                                monkeypatch):
    node = inside(map=wall_map)
    before = held(node)
    assert node.trigger_configure() == Outcome.SUCCESS
    inactive = held(node)
    with monkeypatch.context() as patched:
        patched.setattr(node._loaded.outputs, 'places', unforeseen)  # when all else is made
        assert node.trigger_activate() == Outcome.FAILURE
    assert errors(capfd) == ['cannot activate: RuntimeError: nobody has foreseen this']
    assert held(node) == inactive
    assert node.trigger_cleanup() == Outcome.SUCCESS
    for during in ('deactivate', 'cleanup'):
        assert node.trigger_configure() == Outcome.SUCCESS
        assert node.trigger_activate() == Outcome.SUCCESS
        if during == 'cleanup':
            assert node.trigger_deactivate() == Outcome.SUCCESS
        capfd.readouterr()
        with monkeypatch.context() as patched:
            if during == 'deactivate':
                patched.setattr(node._loaded.outputs, 'status', unforeseen)
                assert node.trigger_deactivate() == Outcome.ERROR
            else:
                patched.setattr(node, '_let_go', unforeseen)
                assert node.trigger_cleanup() == Outcome.ERROR
                patched.undo()
                node.on_error(None)
        found = errors(capfd)
        assert found
        assert all('nobody has foreseen this' in line for line in found)
        assert held(node) == before
    assert node.trigger_configure() == Outcome.SUCCESS
    assert node.trigger_activate() == Outcome.SUCCESS


class Bond:
    """A stand-in for bondpy's: a thread, a publisher and a subscription, as it has them."""

    def __init__(self, topic, id, node):  # noqa: A002
        from std_msgs.msg import String
        self.node, self.told = node, (topic, id)
        self.pub = node.create_publisher(String, topic, 1)
        self.ended = threading.Event()

    def start(self):
        from std_msgs.msg import String
        self.sub = self.node.create_subscription(String, self.told[0], lambda message: None, 1)
        self.node.declare_parameter('bond_disable_heartbeat_timeout', False)  # a manager is lost
        self.thread = threading.Thread(target=self.ended.wait)
        self.thread.start()

    def shutdown(self):
        self.sub.destroy()
        self.ended.set()
        self.thread.join()
        self.pub.destroy()


def test_nothing_is_left_behind_however_often(inside, wall_map, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__('sys').modules, 'tf2_ros', fake_tf2)
    bondpy = type(fake_tf2)('bondpy')
    bondpy.Bond = Bond
    monkeypatch.setitem(__import__('sys').modules, 'bondpy', bondpy)
    monkeypatch.setitem(__import__('sys').modules, 'bondpy.bondpy', bondpy)
    node = inside(map=wall_map, image_topics=['/front', '/rear'], publish_tf='map_to_odom',
                  base_frame='base_link', bond=True)
    unconfigured = held(node)
    for _ in range(2):
        assert node.trigger_configure() == Outcome.SUCCESS
        inactive = held(node)
        assert inactive['publishers'] > unconfigured['publishers']
        for _ in range(3):
            assert node.trigger_activate() == Outcome.SUCCESS
            active = held(node)
            assert active['publishers'] == inactive['publishers'] + 2  # /tf and the bond
            assert active['timers'] == inactive['timers'] + 2
            assert active['threads'] == inactive['threads'] + 2
            assert node.trigger_deactivate() == Outcome.SUCCESS
            assert held(node) == inactive
        assert node.trigger_cleanup() == Outcome.SUCCESS
        assert held(node) == unconfigured


def test_other_cameras_are_given_their_own_headings(inside, capfd, wall_map, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'tf2_ros', fake_tf2)
    node = inside(map=wall_map, image_topics=['/front'])

    def localizer_for(*topics):
        if node._activity is not None:
            assert node.trigger_deactivate() == Outcome.SUCCESS
        set_to(node, image_topics=list(topics))
        assert node.trigger_activate() == Outcome.SUCCESS
        return node._loaded.shared.localizer

    assert node.trigger_configure() == Outcome.SUCCESS
    alone = localizer_for('/front')
    assert localizer_for('/front') is alone
    both = localizer_for('/front', '/rear')  # one heading for all: there are two now
    assert both is not alone
    set_to(node, camera_yaws=[0.0, 180.0])
    assert node.trigger_deactivate() == Outcome.SUCCESS
    set_to(node, image_topics=['/front'])
    capfd.readouterr()
    assert node.trigger_activate() == Outcome.FAILURE
    one_error(capfd, 'cannot activate: ', 'camera_yaws has 2 headings for the 1 image_topics')
    assert node.trigger_cleanup() == Outcome.SUCCESS
    set_to(node, base_frame='base_link')
    assert node.trigger_configure() == Outcome.SUCCESS
    assert localizer_for('/front') is None
    node._activity._tick()
    assert '/tf' in {s.topic_name for s in node.subscriptions}
    node._loaded.shared.localizer = alone  # as if tf2 had answered
    for _ in range(2):  # what is known needs no transforms any more
        node._activity._tick()
        assert not {'/tf', '/tf_static'} & {s.topic_name for s in node.subscriptions}
    assert localizer_for('/front') is alone
    assert localizer_for('/rear') is None  # which looks elsewhere


def test_a_qos_override_holds_for_its_topic_only(inside, wall_map):
    node = inside('-p', 'qos_overrides./cam.subscription.reliability:=reliable', map=wall_map,
                  image_topics=['/cam'])
    assert node.trigger_configure() == Outcome.SUCCESS
    assert node.trigger_activate() == Outcome.SUCCESS
    found = {s.topic_name: s.qos_profile.reliability for s in node.subscriptions}
    assert found['/cam'] == ReliabilityPolicy.RELIABLE
    assert found['/odom'] == ReliabilityPolicy.BEST_EFFORT
