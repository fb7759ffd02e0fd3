# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The launch file: read as text everywhere, run where launch is installed."""

import ast

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


@pytest.mark.ros
def test_launch_brings_the_localizer_up(map_file, probe):
    pytest.importorskip('launch', reason='launch is not installed')
    pytest.importorskip('launch_ros', reason='launch_ros is not installed')
    from ament_index_python.packages import get_package_share_directory, PackageNotFoundError
    try:
        get_package_share_directory('tetra_vpr_ros')
    except PackageNotFoundError:
        pytest.skip('tetra_vpr_ros is not installed in an ament prefix')
    import multiprocessing

    from launch import LaunchDescription, LaunchService
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    def run():
        service = LaunchService()
        service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(FILE)),
            launch_arguments={'map': str(map_file), 'image_topic': '/cam'}.items())]))
        service.run()

    process = multiprocessing.Process(target=run)
    process.start()
    try:
        assert probe.spin(lambda: probe.state() == 'active', 30)
    finally:
        process.terminate()
        process.join()
