# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The localizer as a process: lifecycle, a played bag, parameters and outputs."""

import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from camera import play
import cv2
import numpy as np
from processes import ENOUGH, LOSSLESS
import pytest
from sensor_msgs.msg import CompressedImage, PointCloud2
from tetra_vpr_ros.mapping import build_map, BuildOptions, PlaceMap
from tetra_vpr_ros.nodes.localizer.outputs.belief import belief_from_cloud
from visualization_msgs.msg import Marker, MarkerArray

pytestmark = pytest.mark.ros

_IDLE = 0.3  # of a core: 1-2 % on a usual one, 4-8 % on a slow one; what spins takes it whole


def test_lifecycle_transitions_in_every_order(start, probe, wall_map):
    localizer = start(map=wall_map)
    assert probe.state() == 'unconfigured'
    for _ in range(2):
        assert probe.change('configure')
        assert probe.state() == 'inactive'
        for _ in range(2):
            assert probe.change('activate')
            assert probe.state() == 'active'
            assert probe.change('deactivate')
        assert probe.change('cleanup')
    assert probe.change('configure')
    assert probe.change('activate')
    assert probe.change('active_shutdown')
    assert probe.state() == 'finalized'
    assert localizer.alive
    assert localizer.log.count('places of') == 3


@pytest.mark.parametrize('transport', ['raw', 'compressed'])
def test_a_played_bag_is_localized(bring_up, probe, map_file, bag, drive, transport):
    topic = '/camera/image_raw' + ('/compressed' if transport == 'compressed' else '')
    localizer = bring_up(map=map_file, image_transport=transport,
                         image_topics=['/camera/image_raw'])
    sent = play(probe, localizer, bag, topic, transport, every=2)
    truth = {stamp: pose for stamp, pose, _ in drive}
    candidates, matches = probe.received['/vpr/candidates'], probe.received['/vpr/match']
    assert sent == 100
    assert len(candidates) == sent, localizer.log
    assert len(matches) > 0.5 * len(candidates)
    errors = []
    for match in matches:
        pose = truth[match.header.stamp.sec * 10**9 + match.header.stamp.nanosec]
        p, q = match.pose.pose.position, match.pose.pose.orientation
        errors.append(np.hypot(p.x - pose.x, p.y - pose.y))
        assert match.header.frame_id == 'map'
        assert np.isclose(q.x**2 + q.y**2 + q.z**2 + q.w**2, 1)
        covariance = np.reshape(match.pose.covariance, (6, 6))
        assert (np.linalg.eigvalsh(covariance) > 0).all()
    assert np.median(errors) < 0.5
    assert np.mean(np.array(errors) > 3) < 0.05
    assert all(0 < len(message.poses) <= 10 for message in candidates)
    state = probe.values()[0]
    assert state in ('localized', 'unknown place', 'no images')
    assert probe.spin(lambda: any(status.message == 'localized'
                                  for status in probe.received['/vpr/status']))


def test_a_model_is_chosen_by_its_name(bring_up, probe, wall, wall_bag, wall_robot, tmp_path):
    place_map = tmp_path / 'small.vpr'
    name = 'tetra_nano_1024'
    build_map(BuildOptions(bags=(wall_bag,), output=place_map, model=Path(name)), progress=False)
    localizer = bring_up(map=place_map, model=name, image_topics=['/cam'])
    wall_robot.wait(localizer)
    wall_robot.show(range(5, 15))
    best = [message.poses[0].position.x for message in probe.received['/vpr/candidates']]
    assert np.allclose(best, [wall[i][1].x for i in range(5, 15)], atol=0.6)
    assert probe.received['/vpr/match'], localizer.log
    assert name in localizer.log
    assert probe.change('deactivate')
    for model, works in (('', True), ('tetra_vits8_2048', False)):
        assert probe.set_parameter('model', model).successful
        assert probe.change('cleanup')
        assert probe.change('configure') is works  # that of the map, and one that it is not of
    assert probe.spin(lambda: 'cannot configure' in localizer.log)
    assert name in localizer.log.splitlines()[-1]


def test_configure_fails_with_the_reason_and_can_be_repeated(borrow, probe, wall_map, tmp_path):
    foreign = tmp_path / 'foreign.vpr'
    foreign.write_bytes(wall_map.read_bytes())
    with PlaceMap.open_file(foreign, writable=True) as opened:
        opened.set_meta(model_fingerprint='f' * 64, model_name='another-model')
    (tmp_path / 'text.vpr').write_text('no map')
    (tmp_path / 'text.onnx').write_text('no model')
    localizer = borrow()
    cases = [('', '', "the parameter 'map' is empty"),
             (tmp_path / 'nowhere.vpr', '', 'no map file'),
             (tmp_path / 'text.vpr', '', 'not a map file'),
             (foreign, '', 'another-model'),
             (wall_map, tmp_path / 'none.onnx', 'no model file'),
             (wall_map, tmp_path / 'text.onnx', 'text.onnx is not a model')]
    for number, (path, model, says) in enumerate(cases, 1):
        assert probe.set_parameter('map', str(path)).successful
        assert probe.set_parameter('model', str(model)).successful
        assert not probe.change('configure')
        assert probe.state() == 'unconfigured'
        assert probe.spin(lambda number=number: localizer.log.count('cannot configure')
                          == number)
        assert says in localizer.log.splitlines()[-1]
    assert probe.set_parameter('model', '').successful
    assert probe.change('configure')
    assert probe.change('activate')


def test_parameters_are_described_checked_and_take_effect_while_running(
        bring_up, probe, wall_robot, wall_map):
    from tetra_vpr_ros.nodes.localizer.parameters import PARAMETERS
    localizer = bring_up(map=wall_map, image_topics=['/cam'])
    described = probe.describe([spec.name for spec in PARAMETERS])
    assert len(described) == len(PARAMETERS)
    for spec, descriptor in zip(PARAMETERS, described):
        assert descriptor.description == spec.description
        assert bool(descriptor.floating_point_range or descriptor.integer_range) == (
            spec.low is not None)
    for name, value, says in [('false_match_rate', 1.5, 'range'), ('candidates', 0, 'range'),
                              ('image_transport', 'theora', 'raw, compressed'),
                              ('image_topics', [''], 'at least one topic'),
                              ('threads', 'two', 'type'), ('autostart', True, 'read'),
                              ('false_match_rate', float('nan'), 'range')]:
        result = probe.set_parameter(name, value)
        assert not result.successful, name
        assert says.lower() in result.reason.lower()
    wall_robot.wait(localizer)
    wall_robot.show([20])
    assert len(probe.received['/vpr/candidates'][-1].poses) == 10
    assert probe.set_parameter('candidates', 3).successful
    wall_robot.show([21])
    assert len(probe.received['/vpr/candidates'][-1].poses) == 3


def test_an_idle_robot_stays_idle(bring_up, wall_map):
    localizer = bring_up(map=wall_map)

    def used():
        fields = Path(f'/proc/{localizer.process.pid}/stat').read_text().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    shares = []
    deadline = time.monotonic() + ENOUGH
    # The start is not idle, and other programs' discovery wakes it, too: a while must be.
    while not shares or (shares[-1] >= _IDLE and time.monotonic() < deadline):
        before, began = used(), time.monotonic()
        time.sleep(4.0)
        shares.append((used() - before) / (time.monotonic() - began))
    print(f"active without images: {', '.join(f'{100 * s:.1f}' for s in shares)} % of a core")
    assert shares[-1] < _IDLE


def test_a_bad_parameter_at_the_start_is_named(start, wall_map):
    localizer = start(map=wall_map, candidates=100000)
    assert localizer.process.wait(ENOUGH) != 0
    assert 'candidates' in localizer.log


def test_everything_else_that_is_published(bring_up, probe, robot, map_file):
    localizer = bring_up(map=map_file, image_topics=['/cam'], no_image_timeout=1.0,
                         max_marker_places=20)
    assert probe.spin(lambda: probe.received['/vpr/markers'] and probe.received['/vpr/status'])
    places = probe.received['/vpr/markers'][0].markers[0]
    assert places.type == Marker.TRIANGLE_LIST
    assert 0 < len(places.points) <= 3 * 20
    assert len(places.colors) == len(places.points)
    assert places.header.frame_id == 'map'
    assert probe.spin(lambda: probe.values()[0] == 'no images')
    robot.wait(localizer)
    robot.show(range(40, 60))
    assert probe.spin(lambda: any(s.message == 'localized'
                                  for s in probe.received['/vpr/status'])), localizer.log
    probe.listen('/vpr/match_image/compressed', CompressedImage, best_effort=True)
    shown = 60
    while not probe.received['/vpr/match_image/compressed']:  # until the node knows who listens
        assert shown < 200
        robot.show([shown])
        probe.spin(seconds=0.1)
        shown += 1
    picture = cv2.imdecode(np.frombuffer(
        probe.received['/vpr/match_image/compressed'][0].data, np.uint8), 1)
    assert picture.shape == (264, 640, 3)  # two 320x240 pictures and a line of text
    assert probe.spin(lambda: probe.values()[0] == 'no images')
    assert probe.spin(lambda: int(probe.values('/diagnostics')[1]['frames processed'])
                      == shown - 40)
    values = probe.values('/diagnostics')[1]
    assert int(values['frames refused']) == 0
    assert float(values['latency p50 ms']) > 0
    assert values['map'] == str(map_file)
    assert not probe.received['/vpr/belief']
    probe.listen('/vpr/belief', PointCloud2, best_effort=True)
    probe.listen('/vpr/belief_markers', MarkerArray, best_effort=True)
    while not (probe.received['/vpr/belief'] and probe.received['/vpr/belief_markers']):
        assert shown < 200
        robot.show([shown])
        probe.spin(seconds=0.1)
        shown += 1
    points = belief_from_cloud(probe.received['/vpr/belief'][-1])
    assert points['belief'].sum() == pytest.approx(1.0, abs=0.1)  # on the map, and sure
    best = probe.received['/vpr/candidates'][-1].poses[0].position
    strongest = points[points['belief'].argmax()]
    assert np.hypot(strongest['x'] - best.x, strongest['y'] - best.y) < 3.0
    arrows = [m for array in probe.received['/vpr/markers'] for m in array.markers
              if m.type == Marker.ARROW]
    assert arrows

    # Somebody who comes later still sees both markers.
    seen = probe.received['/vpr/markers']
    seen.clear()
    probe.listen('/vpr/markers', MarkerArray, latched=True)
    assert probe.spin(lambda: {message.markers[0].ns for message in seen} == {'places', 'match'})

    assert probe.change('deactivate')
    assert probe.spin(lambda: probe.values()[1]['detail'] == 'the node is not active')


def test_quality_of_service_and_namespace_can_be_overridden(start, probe, wall_map):
    from rclpy.qos import ReliabilityPolicy
    localizer = start(map=wall_map, autostart=True, image_topics='[cam]',
                      **{'qos_overrides./robot1/cam.subscription.reliability': 'reliable',
                         'namespace': '/robot1'})
    found = probe.node.get_subscriptions_info_by_topic
    assert probe.spin(lambda: found('/robot1/cam')), localizer.log
    assert found('/robot1/cam')[0].qos_profile.reliability == ReliabilityPolicy.RELIABLE

    # What one process offers is discovered piece by piece.
    def told():
        names = {name for name, _ in probe.node.get_topic_names_and_types()}
        return names >= {'/robot1/vpr/match', '/diagnostics'}

    assert probe.spin(told), localizer.log
    # Two robots are told apart where diagnostics come together.
    assert probe.spin(lambda: probe.received['/diagnostics'])
    status = probe.received['/diagnostics'][-1].status[0]
    assert status.name == '/robot1/vpr_localize: localization'


_SWALLOWED = """
import os, signal, sys
from rclpy.executors import SingleThreadedExecutor
from tetra_vpr_ros.nodes import localize

class Finalised:
    def __init__(self, then):
        self.then = then
    def __del__(self):
        self.then()

def told():
    print('told', flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    sum(range(1000))  # where Python looks at signals

def broken():
    raise ValueError('of another kind')

def finalised_meanwhile(executor, timeout_sec):
    Finalised(told)
    Finalised(broken)

SingleThreadedExecutor.spin_once = finalised_meanwhile
sys.exit(localize.main([]))
"""


def test_a_signal_that_arrives_in_a_finaliser_ends_the_process():
    ended = subprocess.run([sys.executable, '-c', _SWALLOWED], capture_output=True, text=True,
                           timeout=ENOUGH, check=False)
    assert ended.returncode == 0
    assert ended.stdout.count('told') == 1
    assert 'KeyboardInterrupt' not in ended.stderr  # it is no error
    assert 'of another kind' in ended.stderr


@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('last', ['activate', 'cleanup'])
def test_a_signal_ends_the_process_cleanly(start, probe, wall_robot, wall_map, how, last):
    localizer = start(map=wall_map, image_topics='[/cam]', **LOSSLESS)
    assert probe.change('configure')
    assert probe.change('activate')
    wall_robot.wait(localizer)
    wall_robot.show(range(5))
    if last == 'cleanup':
        assert probe.change('deactivate')
        assert probe.change('cleanup')
    localizer.stop(how)  # at once: the node is about to wait again
    assert localizer.process.returncode == 0
    assert 'Traceback' not in localizer.log
