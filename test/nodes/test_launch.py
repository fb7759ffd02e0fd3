# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The launch file: read as text everywhere, run where launch is installed."""

import ast
import contextlib
import os
import signal
import subprocess
import sys

from processes import ENOUGH
import pytest
from sample_data import ROOT

FILE = ROOT / 'launch' / 'localize.launch.py'
ARGUMENTS = {'map', 'model', 'params_file', 'image_topic', 'image_transport', 'namespace',
             'use_sim_time', 'autostart', 'log_level'}


def test_the_launch_file_declares_the_documented_arguments():
    tree = ast.parse(FILE.read_text())
    declared = {node.args[0].value for node in ast.walk(tree)
                if isinstance(node, ast.Call)
                and getattr(node.func, 'id', '') == 'DeclareLaunchArgument'}
    assert declared == ARGUMENTS


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
def launched(wall_map, tmp_path):
    """Return the launch file's process and its log; at the end nothing of it is left."""
    log = tmp_path / 'launch.txt'
    with log.open('w') as stream:
        process = subprocess.Popen(
            [sys.executable, '-c', LAUNCH, str(FILE), f'map:={wall_map}', 'image_topic:=/cam'],
            stdout=stream, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, 'ROS_LOG_DIR': str(tmp_path)})
    yield process, log
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(ENOUGH)


@pytest.mark.ros
def test_launch_brings_the_localizer_up(probe, request):
    pytest.importorskip('launch', reason='launch is not installed')
    pytest.importorskip('launch_ros', reason='launch_ros is not installed')
    from ament_index_python.packages import get_package_share_directory, PackageNotFoundError
    try:
        get_package_share_directory('tetra_vpr_ros')
    except PackageNotFoundError:
        pytest.skip('tetra_vpr_ros is not installed in an ament prefix')
    process, log = request.getfixturevalue('launched')
    assert probe.spin(lambda: process.poll() is not None or probe.state() == 'active')
    assert process.poll() is None, log.read_text()
    os.killpg(process.pid, signal.SIGINT)
    process.wait(ENOUGH)
