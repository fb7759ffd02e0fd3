# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Start the localizer under a lifecycle manager of Nav2.

``ros2 launch tetra_vpr_ros managed.launch.py map:=home.vpr image_topic:=/camera/image_raw``

Where bondpy is installed the two form a bond, by which the manager notices that the localizer
died. The arguments of localize.launch.py hold here, too.
"""

from importlib.util import find_spec

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument, GroupAction, IncludeLaunchDescription, OpaqueFunction)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, SetParameter
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def _manager(context, bond):
    """Make the manager: one of our own, so that it does not hold up Nav2's."""
    parameters = {'autostart': True, 'node_names': ['vpr_localize'],
                  'bond_timeout': 4.0 if bond else 0.0}
    if LaunchConfiguration('use_sim_time').perform(context):
        parameters['use_sim_time'] = ParameterValue(LaunchConfiguration('use_sim_time'),
                                                    value_type=bool)
    return [Node(
        package='nav2_lifecycle_manager',
        executable='lifecycle_manager',
        name='lifecycle_manager_vpr',
        namespace=LaunchConfiguration('namespace'),
        parameters=[parameters],
        output='screen',
    )]


def generate_launch_description():
    """Start both."""
    bond = find_spec('bondpy') is not None
    localizer = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(PathJoinSubstitution(
            [FindPackageShare('tetra_vpr_ros'), 'launch', 'localize.launch.py'])),
        launch_arguments={'autostart': 'false'}.items())
    return LaunchDescription([
        DeclareLaunchArgument('namespace', default_value='', description='Namespace of both'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='', choices=['', 'true', 'false', 'True', 'False'],
            description='Both take the time from /clock; empty: the parameters'),
        GroupAction([SetParameter(name='bond', value=bond), localizer]),
        OpaqueFunction(function=_manager, args=[bond]),
    ])
