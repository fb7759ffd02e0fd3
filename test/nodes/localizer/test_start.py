# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How the process begins: its values are checked, and it ends with a line and a status."""

import itertools
import os
import signal
import subprocess
import sys
import time

from processes import ENOUGH
import pytest
from rclpy.lifecycle import TransitionCallbackReturn as Outcome
from rclpy.parameter import Parameter
from sample_data import ROOT
from tetra_vpr_ros.nodes.localizer.parameters import ParameterError
import yaml

pytestmark = pytest.mark.ros


def given(**values):
    return itertools.chain.from_iterable(('-p', f'{name}:={value}')
                                         for name, value in values.items())


@pytest.mark.parametrize('values, says', [
    ({'publish_tf': 'map'}, "publish_tf must be one of none, map_to_odom, not 'map'"),
    ({'image_transport': 'compresed'}, 'image_transport must be one of raw, compressed'),
    ({'verification': 'foo'}, 'verification must be one of none, orb'),
    ({'filter': 'kalman'}, 'filter must be one of bayes'),
    ({'candidates': 100000}, 'candidates is out of range: it must lie between 1 and 200'),
    ({'max_speed': -1}, 'max_speed is out of range'),
    ({'false_match_rate': '.nan'}, 'false_match_rate is out of range'),
    ({'threads': 'two'}, "threads must be a whole number, not 'two'"),
    ({'threads': 2.5}, 'threads must be a whole number, not 2.5'),
    ({'threads': 'true'}, 'threads must be a whole number, not True'),
    ({'spinning': 1}, 'spinning must be true or false, not 1'),
    ({'map': 5}, 'map must be a text, not 5'),
    ({'image_topics': '[]'}, 'image_topics must name at least one topic'),
    ({'image_topics': '/cam'}, "image_topics must be a list of texts, as ['image'], not '/cam'"),
    ({'image_topics': '[/a camera]'}, "image_topics: '/a camera' is no name of a topic"),
    ({'odom_topic': '/odom//'}, "odom_topic: '/odom//' is no name of a topic"),
    ({'camera_yaws': '[]'}, 'camera_yaws needs a heading'),
    ({'camera_yaws': '[left]'}, "camera_yaws[0] must be a number, not 'left'"),
    ({'horizontal_fov': 1.0}, 'horizontal_fov is in degrees'),
    ({'frame_id': '/map'}, "frame_id must not begin with '/'"),
    ({'threads': -1, 'filter': 'x'}, "not 'x'; threads is out of range")])
def test_a_wrong_value_of_the_start_is_named(inside, capfd, values, says):
    with pytest.raises(ParameterError):
        inside(*given(**values))
    found = [line for line in capfd.readouterr().err.splitlines() if 'cannot start: ' in line]
    assert len(found) == 1
    assert says in found[0]


def test_whole_numbers_are_numbers_and_what_is_unknown_is_told(inside, capfd, tmp_path):
    file = tmp_path / 'vpr.yaml'
    file.write_text('/**:\n  ros__parameters:\n    max_speed: 3\n    camera_yaws: [0, 180]\n'
                    '    image_topic: /cam\n    somebody_elses: 5\n    use_sim_time: false\n'
                    '    qos_overrides: {/cam: {subscription: {depth: 1}}}\n')
    node = inside('--params-file', str(file))
    assert node.get_parameter('max_speed').value == 3.0
    assert list(node.get_parameter('camera_yaws').value) == [0.0, 180.0]
    warnings = [line for line in capfd.readouterr().err.splitlines() if 'ignored' in line]
    assert len(warnings) == 1
    assert 'are ignored: image_topic (is image_topics meant?), somebody_elses' in warnings[0]
    # Later values are held to the same rules.
    assert node.set_parameters([Parameter('max_speed', value=4)])[0].successful
    assert node.get_parameter('max_speed').value == 4.0
    assert node.set_parameters([Parameter('camera_yaws', value=[90])])[0].successful
    for name, value, says in (('max_speed', 0, 'range'), ('image_topics', ['a b'], 'no name'),
                              ('frame_id', '/map', 'begin with'), ('threads', 2.0, 'type')):
        result = node.set_parameters([Parameter(name, value=value)])[0]
        assert not result.successful
        assert says in result.reason


def test_a_value_that_waits_is_told(inside, capfd, wall_map):
    node = inside(map=wall_map)

    def told(name, value):
        capfd.readouterr()
        assert node.set_parameters([Parameter(name, value=value)])[0].successful
        return [line for line in capfd.readouterr().err.splitlines() if 'takes effect' in line]

    assert told('filter', 'single') == []
    assert node.trigger_configure() == Outcome.SUCCESS
    assert told('fusion_window', 0.1) == []
    assert 'at the next configure (cleanup, configure)' in told('filter', 'bayes')[0]
    assert node.trigger_activate() == Outcome.SUCCESS
    assert 'at the next configure (deactivate, cleanup, configure)' in told('filter', 'single')[0]
    assert 'at the next activate (deactivate, activate)' in told('fusion_window', 0.2)[0]
    assert told('fusion_window', 0.2) == []  # no change
    assert told('candidates', 3) == []
    assert not node.set_parameters([Parameter('filter', value='kalman')])[0].successful
    assert 'takes effect' not in capfd.readouterr().err


def run(*arguments):
    """Run the node to its end; return status and output."""
    process = subprocess.Popen(
        [sys.executable, '-m', 'tetra_vpr_ros.nodes.localize', *arguments], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output, _ = process.communicate(timeout=ENOUGH)
    return process.returncode, output


def test_what_the_process_cannot_begin_with_is_a_line_and_a_status(tmp_path, wall_map):
    (tmp_path / 'broken.yaml').write_text('/**:\n  ros__parameters:\n    map:\n')
    (tmp_path / 'other.yaml').write_text('localizer:\n  ros__parameters:\n    map: a\n')
    for arguments, status, says in [
            (['--help'], 0, '-p map:=home.vpr -p autostart:=true'),
            (['home.vpr'], 2, 'unrecognized arguments: home.vpr'),
            (['--ros-args', '--params-file', str(tmp_path / 'none.yaml')], 1, 'none.yaml'),
            (['--ros-args', '--params-file', str(tmp_path / 'broken.yaml')], 1, 'at line 3'),
            (['--ros-args', '-p', 'filter:=x'], 1, 'cannot start: filter must be one of'),
            (['--ros-args', '-r', '__node:=2d'], 1, 'localize: '),
            (['--ros-args', '-p', 'autostart:=true', '-p', f'map:={tmp_path}/none.vpr'], 1,
             f'cannot configure: no map file {tmp_path}/none.vpr'),
            (['--ros-args', '-p', 'autostart:=true', '--params-file', f'{tmp_path}/other.yaml'], 1,
             'other.yaml says nothing to this node, /vpr_localize: it speaks to /localizer'),
            (['--ros-args', '-p', 'autostart:=true', '-p', f'map:={wall_map}', '-p',
              'qos_overrides./image.subscription.depth:=x'], 1, 'cannot activate: ')]:
        found, output = run(*arguments)
        assert found == status, output
        assert says in output
        assert 'Traceback' not in output


def test_a_process_listens_where_a_file_of_launch_says(probe, wall_map, tmp_path):
    file = tmp_path / 'launch_params'
    file.write_text(yaml.dump({'/**': {'ros__parameters': {
        'map': str(wall_map), 'image_topics': ('/cam',), 'autostart': True}}}))
    process = subprocess.Popen(
        [sys.executable, '-m', 'tetra_vpr_ros.nodes.localize', '--ros-args', '--params-file',
         str(file)], cwd=ROOT)
    try:
        assert probe.spin(lambda: process.poll() is not None or probe.state() == 'active')
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(ENOUGH) == 0


def test_a_node_that_waits_says_so(start, probe):
    localizer = start()
    assert probe.state() == 'unconfigured'
    assert 'autostart is false: waiting to be configured' in localizer.log


def test_an_autostart_that_fails_can_wait_for_somebody(start, probe, wall_map, tmp_path):
    localizer = start(map=tmp_path / 'none.vpr', autostart=True, autostart_failure='wait')
    assert probe.state() == 'unconfigured'
    assert localizer.log.count('cannot configure: no map file') == 1
    assert probe.set_parameter('map', str(wall_map)).successful
    assert probe.change('configure')


@pytest.mark.parametrize('end', ['signal', 'shutdown'])
def test_who_ends_says_that_nobody_is_localized(start, probe, wall_map, end):
    localizer = start(map=wall_map, autostart=True, image_topics='[/cam]')
    assert probe.spin(lambda: probe.received['/vpr/status']), localizer.log
    if end == 'signal':
        localizer.stop(signal.SIGTERM)
    else:
        assert probe.change('active_shutdown')
    assert probe.spin(lambda: probe.values()[1]['detail'] == 'the node has ended'), localizer.log
    assert probe.values()[0] == 'no images'


def test_a_signal_while_it_starts_ends_it_without_a_traceback(wall_map, tmp_path):
    """At whatever moment after Python's own start: while it imports, loads or spins."""
    for delay, twice in ((0.0, False), (0.3, True), (0.8, False), (1.4, True)):
        log = tmp_path / 'log.txt'
        marked = tmp_path / f'began{delay}'
        program = ('import pathlib; from tetra_vpr_ros.nodes import localize; '
                   'on = localize._on_signals; localize._on_signals = lambda handler: '
                   f'(on(handler), pathlib.Path({str(marked)!r}).touch()); '
                   'raise SystemExit(localize.main())')
        with log.open('w') as stream:
            process = subprocess.Popen(
                [sys.executable, '-c', program, '--ros-args', '-p', 'autostart:=true', '-p',
                 f'map:={wall_map}'], cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + ENOUGH
        while not marked.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        if twice:  # of the shell and of launch
            process.send_signal(signal.SIGINT)
        assert process.wait(ENOUGH) == 0, log.read_text()
        assert 'Traceback' not in log.read_text()


_PRODUCT = ('import os\n'
            'before = len(os.listdir("/proc/self/task"))\n'
            'import numpy\n'
            'numpy.ones((500, 500)) @ numpy.ones((500, 500))\n'
            'print("more threads:", len(os.listdir("/proc/self/task")) - before)\n')
_STARTED = ('from tetra_vpr_ros.nodes import localize\n'
            'try:\n'
            '    localize.main(["--help"])\n'
            'except SystemExit:\n'
            '    pass\n')


def threads_of_a_product(code, **variables):
    environment = {key: value for key, value in os.environ.items()
                   if not key.endswith('_NUM_THREADS')}
    done = subprocess.run([sys.executable, '-c', code], env={**environment, **variables}, cwd=ROOT,
                          check=True, capture_output=True, text=True, timeout=ENOUGH)
    return int(done.stdout.rpartition('more threads:')[2])


def test_between_two_frames_no_thread_of_numpy_spins():
    if not threads_of_a_product(_PRODUCT):
        pytest.skip('there is one core, or numpy has a BLAS without threads')
    assert threads_of_a_product(_STARTED + _PRODUCT) == 0
    for variable in ('OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS'):
        assert threads_of_a_product(_STARTED + _PRODUCT, **{variable: '2'}) == 1
