# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The launch files: their decisions everywhere, run where launch is installed."""

import ast
import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys

import fake_launch
from processes import ENOUGH
import pytest
from sample_data import ROOT
import yaml

FILE = ROOT / 'launch' / 'localize.launch.py'
ARGUMENTS = {'map', 'model', 'params_file', 'image_topic', 'image_transport', 'namespace',
             'tf_in_namespace', 'use_sim_time', 'autostart', 'required', 'rviz', 'log_level'}


def test_the_launch_file_declares_the_documented_arguments():
    tree = ast.parse(FILE.read_text())
    declared = {node.args[0].value for node in ast.walk(tree)
                if isinstance(node, ast.Call)
                and getattr(node.func, 'id', '') == 'DeclareLaunchArgument'}
    assert declared == ARGUMENTS
    page = (ROOT / 'docs' / 'reference.md').read_text()
    listed = re.search(r'Launch arguments: ([^.]*)\.', page)[1]
    assert set(re.findall(r'`(\w+)`', listed)) == ARGUMENTS


@pytest.fixture
def launching(monkeypatch):
    """Return what a launch file makes of arguments; the localizer's node first."""
    fake_launch.install(monkeypatch)
    fake_launch.installed.clear()

    def made(file=FILE, **arguments):
        spec = importlib.util.spec_from_file_location('launched', file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        actions, context = fake_launch.performed(module.generate_launch_description(),
                                                 **arguments)
        nodes = [action for action in actions if type(action).__name__ == 'Node']
        return nodes, actions, context

    return made


def values(node, context):
    """Return the parameters that a node's action gives, those of files left out."""
    given = {}
    for source in node.parameters:
        if isinstance(source, dict):
            given.update({name: value.args[0].perform(context)
                          if hasattr(value, 'value_type') else value
                          for name, value in source.items()})
    return given


def test_what_is_not_given_is_left_to_others(launching):
    (node,), _, context = launching()
    assert values(node, context) == {}
    assert node.parameters == []  # no file of defaults, which would override a parent's
    assert node.ros_arguments[:2] == ['-p', 'autostart:=true']  # first: all others override it
    assert node.on_exit is None
    (node,), _, context = launching(
        map='home.vpr', use_sim_time='true', autostart='False', image_topic='/cam',
        image_transport='raw', required='true')
    assert values(node, context) == {
        'map': 'home.vpr', 'use_sim_time': 'true', 'autostart': 'False',
        'image_transport': 'raw', 'image_topics': ['/cam']}
    assert node.parameters[0]['autostart'].value_type is bool
    assert type(node.on_exit[0]).__name__ == 'Shutdown'


def test_a_parameter_that_is_no_argument_is_told(launching):
    _, actions, _ = launching(undeclared={'camera_mount': 'down', 'filter': 'single', 'else': ''})
    told, = (action for action in actions if type(action).__name__ == 'LogInfo')
    assert told.msg.startswith('camera_mount, filter: no argument of localize.launch.py')
    _, actions, _ = launching(map='home.vpr')
    assert not [action for action in actions if type(action).__name__ == 'LogInfo']


def test_a_parameters_file_must_exist_and_comes_before_the_arguments(launching, tmp_path,
                                                                     monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=f"'params_file' names no file: {tmp_path}/none.yaml"):
        launching(params_file='none.yaml')
    (tmp_path / 'vpr.yaml').touch()
    (node,), _, _ = launching(params_file='vpr.yaml', map='home.vpr')
    assert node.parameters[0] == str(tmp_path / 'vpr.yaml')
    assert 'map' in node.parameters[1]


def test_rviz_opens_where_it_is_installed(launching):
    nodes, actions, _ = launching(rviz='true')
    assert len(nodes) == 1
    assert 'rviz2 is not installed' in actions[-1].msg
    fake_launch.installed.add('rviz2')
    (_, rviz), _, _ = launching(rviz='true', namespace='robot1')
    assert rviz.package == 'rviz2'
    assert rviz.arguments[1].args[0][1:] == ['config', 'vpr.rviz']
    shown = yaml.safe_load((ROOT / 'config' / 'vpr.rviz').read_text())['Visualization Manager']
    topics = {display['Topic']['Value'] for display in shown['Displays'] if 'Topic' in display}
    remapped = dict(rviz.remappings)
    ours = {topic for topic in topics if topic.startswith('/vpr/')}
    assert ours == {'/vpr/markers', '/vpr/belief_markers', '/vpr/match', '/vpr/candidates',
                    '/vpr/match_image/compressed'}
    assert all(remapped[topic] == topic[1:] for topic in ours)


def test_transforms_are_those_of_the_namespace_unless_robots_share_them(launching):
    fake_launch.installed.add('rviz2')
    for arguments, renamed in (({}, True), ({'tf_in_namespace': 'false'}, False)):
        nodes, _, _ = launching(namespace='robot1', rviz='true', **arguments)
        for node in nodes:
            found = dict(node.remappings)
            assert (found.get('/tf') == 'tf') == renamed
            assert (found.get('/tf_static') == 'tf_static') == renamed


@pytest.mark.parametrize('bond', [True, False])
def test_a_lifecycle_manager_is_given_a_bond_where_there_is_the_library(launching, monkeypatch,
                                                                        bond):
    found = importlib.util.find_spec
    monkeypatch.setattr('importlib.util.find_spec', lambda name: (
        (found('json') if bond else None) if name == 'bondpy' else found(name)))
    (manager,), actions, _ = launching(ROOT / 'launch' / 'managed.launch.py')
    assert manager.parameters == [{'autostart': True, 'node_names': ['vpr_localize'],
                                   'bond_timeout': 4.0 if bond else 0.0}]
    (manager,), _, _ = launching(ROOT / 'launch' / 'managed.launch.py', use_sim_time='true')
    assert manager.parameters[0]['use_sim_time'].kwargs == {'value_type': bool}
    group = next(action for action in actions if type(action).__name__ == 'GroupAction')
    assert group.args[0][0].kwargs == {'name': 'bond', 'value': bond}
    assert dict(group.args[0][1].launch_arguments) == {'autostart': 'false'}


# What 'ros2 launch' does, in a process and a group of its own: Ctrl-C ends it, as in a shell.
LAUNCH = """
import sys

from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

file, *arguments = sys.argv[1:]
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(file),
    launch_arguments=[tuple(argument.split(':=')) for argument in arguments])]))
sys.exit(service.run())
"""


@pytest.fixture
def launched(tmp_path):
    """Return how to start the launch file, and its log; at the end nothing of it is left."""
    pytest.importorskip('launch', reason='launch is not installed')
    pytest.importorskip('launch_ros', reason='launch_ros is not installed')
    from ament_index_python.packages import get_package_share_directory, PackageNotFoundError
    try:
        get_package_share_directory('tetra_vpr_ros')
    except PackageNotFoundError:
        pytest.skip('tetra_vpr_ros is not installed in an ament prefix')
    log, running = tmp_path / 'launch.txt', []

    def starting(*arguments):
        with log.open('w') as stream:
            running.append(subprocess.Popen(
                [sys.executable, '-c', LAUNCH, str(FILE), *arguments], stdout=stream,
                stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, 'ROS_LOG_DIR': str(tmp_path)}))
        return running[-1], log

    yield starting
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(ENOUGH)


@pytest.mark.ros
def test_launch_brings_the_localizer_up(probe, launched, wall_map):
    process, log = launched(f'map:={wall_map}', 'image_topic:=/cam')
    assert probe.spin(lambda: process.poll() is not None or probe.state() == 'active')
    assert process.poll() is None, log.read_text()
    os.killpg(process.pid, signal.SIGINT)  # it ignores SIGTERM
    process.wait(ENOUGH)
    assert 'Traceback' not in log.read_text()


@pytest.mark.ros
def test_launch_ends_with_a_localizer_that_cannot_run(launched, tmp_path):
    process, log = launched(f'map:={tmp_path}/none.vpr', 'required:=true')
    process.wait(ENOUGH)
    assert 'cannot configure: no map file' in log.read_text()
    assert re.search(r'process has died.*exit code 1', log.read_text())
