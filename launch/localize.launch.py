# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Start the localizer.

``ros2 launch tetra_vpr_ros localize.launch.py map:=home.vpr image_topic:=/camera/image_raw``
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def _localizer(context):
    """Make the node; an argument that is left empty does not override the parameters file."""
    parameters = {
        # The node brings itself up, so that no lifecycle manager is needed.
        'autostart': ParameterValue(LaunchConfiguration('autostart'), value_type=bool),
        'use_sim_time': ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool),
    }
    for name in ('map', 'model', 'image_transport'):
        value = LaunchConfiguration(name).perform(context)
        if value:
            parameters[name] = value
    topic = LaunchConfiguration('image_topic').perform(context)
    if topic:
        parameters['image_topics'] = [topic]
    return [Node(
        package='tetra_vpr_ros',
        executable='localize',
        name='vpr_localize',
        namespace=LaunchConfiguration('namespace'),
        parameters=[LaunchConfiguration('params_file'), parameters],
        arguments=['--ros-args', '--log-level', LaunchConfiguration('log_level')],
        output='screen',
        emulate_tty=True,
    )]


def generate_launch_description():
    """Declare the arguments and start the node."""
    default_parameters = PathJoinSubstitution(
        [FindPackageShare('tetra_vpr_ros'), 'config', 'localize.yaml'])
    return LaunchDescription([
        DeclareLaunchArgument(
            'map', default_value='', description='Map file (.vpr), made with build_map'),
        DeclareLaunchArgument(
            'model', default_value='',
            description='Model file (.onnx); empty: the one that comes with the package'),
        DeclareLaunchArgument(
            'params_file', default_value=default_parameters,
            description='Parameters of the node; the other arguments override it'),
        DeclareLaunchArgument(
            'image_topic', default_value='',
            description="Camera topic; empty: 'image_topics' of the parameters file"),
        DeclareLaunchArgument(
            'image_transport', default_value='', choices=['', 'raw', 'compressed'],
            description="'compressed' subscribes <image_topic>/compressed; empty: as in the "
            'parameters file'),
        DeclareLaunchArgument('namespace', default_value='', description='Namespace of the node'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', description='Take the time from /clock'),
        DeclareLaunchArgument(
            'autostart', default_value='true',
            description='Configure and activate at start; false leaves it to a lifecycle manager'),
        DeclareLaunchArgument('log_level', default_value='info', description='Log level'),
        OpaqueFunction(function=_localizer),
    ])
