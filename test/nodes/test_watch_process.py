# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The live view of a localizer that runs: two processes, and a reader."""

import json
import signal
import subprocess
import sys

import cv2
import numpy as np
from processes import ENOUGH, LOSSLESS
import pytest
from sample_data import ROOT
from watching import ask, awaited

pytestmark = pytest.mark.ros


@pytest.fixture
def watch():
    """Start a live view; return its address."""
    running = []

    def starting(*arguments):
        running.append(subprocess.Popen(
            [sys.executable, '-m', 'tetra_vpr_ros.nodes.watch', '--port', '0', *arguments],
            cwd=ROOT, stdout=subprocess.PIPE, text=True))
        line = running[-1].stdout.readline()
        assert 'http://127.0.0.1:' in line
        return running[-1], line.split(' at ')[1].split()[0]

    yield starting
    for process in running:
        process.kill()
        process.wait(ENOUGH)
        process.stdout.close()


@pytest.mark.parametrize('with_map', [False, True])
def test_what_the_localizer_says_is_shown(start, probe, wall_robot, wall_map, watch, with_map):
    localizer = start(map=wall_map, image_topics='[/cam]', autostart=True, no_image_timeout=3600.0,
                      **LOSSLESS)
    process, url = watch(*(['--map', str(wall_map)] if with_map else []))
    told = awaited(url, lambda told: told['plan'])
    assert told['source'] == 'live: /vpr/status'
    wall_robot.wait(localizer)
    awaited(url, lambda told: told['detail'].startswith(('no image:', 'waiting for the first')))
    # Until belief and picture have come: the localizer must first know who listens.
    shown = 0
    while not (told.get('belief') and told['picture'] and told['state'] == 'localized'):
        assert shown < len(wall_robot.drive), told
        wall_robot.show([shown])
        frames = told['frames']
        told = awaited(url, lambda told, frames=frames: told['frames'] > frames)
        shown += 1
    x = wall_robot.drive[shown - 1][1].x
    told = awaited(url, lambda told: told['pose'])
    assert told['pose'][0] == pytest.approx(x, abs=1.5)
    assert told['candidates'][0][0] == pytest.approx(x, abs=2.0)
    assert told['belief'][0][0] == pytest.approx(x, abs=2.0)
    assert 0.5 < sum(row[2] for row in told['belief']) < 1.01
    assert told['detail'].startswith(('at place', 'first fix'))
    assert told['confidence'] > 0.9
    assert told['latency_ms'] > 0
    assert told['ellipse'][0] > 0
    assert len(told['past']) == told['frames']

    picture = cv2.imdecode(np.frombuffer(ask(url, '/picture.jpg')[2], np.uint8), 1)
    assert picture.shape[0] == 264
    plan = json.loads(ask(url, '/plan')[2])
    assert plan['places'] > 10
    assert plan['frame'] == 'map'
    line, = plan['traverses']
    assert (line['x'][0], line['x'][-1]) == pytest.approx((0.0, 19.5), abs=1.0)

    # Silence, and the end of the localizer, are told in words.
    assert probe.set_parameter('no_image_timeout', 1.0).successful
    told = awaited(url, lambda told: told['state'] == 'no images')
    assert told['detail'].startswith('no ')
    assert told['pose'] is None
    localizer.stop()
    told = awaited(url, lambda told: 'it has ended' in told['detail'])
    assert told['belief'] == []
    process.send_signal(signal.SIGINT)
    assert process.wait(ENOUGH) == 0


def test_a_view_that_hears_nobody_says_what_to_look_at(probe, watch):
    process, url = watch('--ros-args', '-r', '__ns:=/robot1')
    told = awaited(url, lambda told: 'no localizer' in told['detail'])
    assert "no localizer publishes /robot1/vpr/status: is 'localize' running" in told['detail']
    assert told['state'] == 'no images'
    assert probe.spin(lambda: ('vpr_watch', '/robot1') in
                      probe.node.get_node_names_and_namespaces())
    names = [name for name, _ in probe.node.get_publisher_names_and_types_by_node(
        'vpr_watch', '/robot1')]
    assert set(names) <= {'/rosout', '/parameter_events'}  # it only listens
    process.send_signal(signal.SIGTERM)
    assert process.wait(ENOUGH) == 0


def test_a_localizer_that_waits_to_be_activated_is_told_from_none(start, probe, wall_map, watch):
    localizer = start(map=wall_map, image_topics='[/cam]')
    assert probe.change('configure'), localizer.log
    _, url = watch()
    awaited(url, lambda told: "'ros2 lifecycle get' tells whether" in told['detail'])


def test_what_follows_the_arguments_of_ros_is_read(watch, wall_map):
    _, url = watch('--ros-args', '-r', '__ns:=/robot1', '--', '--map', str(wall_map))
    told = awaited(url, lambda told: told['plan'])
    assert told['source'] == 'live: /robot1/vpr/status'


@pytest.mark.parametrize('argument', ['ns:/robot1', '__ns:=/1robot', '__node:=1x'])
def test_names_that_ros_cannot_read_are_told_in_a_line(argument):
    done = subprocess.run([sys.executable, '-m', 'tetra_vpr_ros.nodes.watch', '--port', '0',
                           '--ros-args', '-r', argument], cwd=ROOT, capture_output=True,
                          text=True, timeout=ENOUGH)
    assert done.returncode == 1
    told = done.stderr.strip().splitlines()[-1]
    assert told.startswith('watch: ')
    assert argument.split(':')[-1].strip('=/') in told
    assert 'Traceback' not in done.stderr
