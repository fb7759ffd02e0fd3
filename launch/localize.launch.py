# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Start the localizer.

``ros2 launch tetra_vpr_ros localize.launch.py map:=home.vpr image_topic:=/camera/image_raw``

An argument that is not given leaves the parameter to the parameters file, to a launch file that
includes this one (``SetParameter``), and to the node's default, in this order.
"""

import os

from ament_index_python.packages import (
    get_package_prefix, get_package_share_directory, PackageNotFoundError)
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare
import yaml

_TRUTH = ['true', 'false', 'True', 'False']
_PASSED_ON = {'map': str, 'model': str, 'image_transport': str, 'use_sim_time': bool,
              'autostart': bool}


def _is_true(context, name):
    return LaunchConfiguration(name).perform(context).lower() == 'true'


def _transforms(context):
    """Return how the topics of tf2 are renamed: its names are absolute."""
    return ([(f'/{topic}', topic) for topic in ('tf', 'tf_static')]
            if _is_true(context, 'tf_in_namespace') else [])


def _given(context, kinds):
    """Return the parameters whose arguments are given."""
    return {name: ParameterValue(LaunchConfiguration(name), value_type=kind)
            for name, kind in kinds.items() if LaunchConfiguration(name).perform(context)}


def _localizer(context):
    """Make the node."""
    parameters = _given(context, _PASSED_ON)
    topic = LaunchConfiguration('image_topic').perform(context)
    if topic:
        parameters['image_topics'] = [topic]
    sources = [parameters] if parameters else []
    file = LaunchConfiguration('params_file').perform(context)
    if file:
        file = os.path.abspath(os.path.expanduser(file))
        if not os.path.isfile(file):  # launch_ros only warns, and goes on without
            raise RuntimeError(f"the argument 'params_file' names no file: {file}")
        sources.insert(0, file)
    return [Node(
        package='tetra_vpr_ros',
        executable='localize',
        name='vpr_localize',
        namespace=LaunchConfiguration('namespace'),
        parameters=sources,
        remappings=_transforms(context),
        # The node brings itself up, so that no lifecycle manager is needed. It comes first:
        # whatever else sets it has the last word.
        ros_arguments=['-p', 'autostart:=true',
                       '--log-level', LaunchConfiguration('log_level')],
        output='screen',
        emulate_tty=True,
        on_exit=([Shutdown(reason='the localizer ended, and is required')]
                 if _is_true(context, 'required') else None),
    )]


def _ignored(context):
    """Say which arguments are parameters that this file does not pass on: launch says nothing."""
    with open(os.path.join(get_package_share_directory('tetra_vpr_ros'), 'config',
                           'localize.yaml'), encoding='utf-8') as file:
        parameters = yaml.safe_load(file)['/**']['ros__parameters']
    given = sorted(set(parameters) & set(context.launch_configurations) - set(_PASSED_ON))
    if not given:
        return []
    return [LogInfo(msg=f"{', '.join(given)}: no argument of localize.launch.py; the node does "
                        'not hear of it. Write it into a file of parameters, and name that with '
                        'params_file:=')]


def _rviz(context):
    """Open RViz where it is wanted and installed."""
    if not _is_true(context, 'rviz'):
        return []
    try:
        get_package_prefix('rviz2')
    except PackageNotFoundError:
        return [LogInfo(msg='rviz:=true opens nothing: rviz2 is not installed '
                            '(sudo apt install ros-$ROS_DISTRO-rviz2)')]
    config = PathJoinSubstitution([FindPackageShare('tetra_vpr_ros'), 'config', 'vpr.rviz'])
    topics = ['initialpose', 'vpr/markers', 'vpr/belief_markers', 'vpr/match', 'vpr/candidates',
              'vpr/match_image', 'vpr/match_image/compressed']
    given = _given(context, {'use_sim_time': bool})
    return [Node(
        package='rviz2',
        executable='rviz2',
        name='vpr_rviz',
        namespace=LaunchConfiguration('namespace'),
        arguments=['-d', config],
        # The file has absolute names, as RViz saves them: they follow the namespace.
        remappings=[(f'/{topic}', topic) for topic in topics] + _transforms(context),
        parameters=[given] if given else [],
        output='log',
    )]


def generate_launch_description():
    """Declare the arguments and start the node."""
    return LaunchDescription([
        DeclareLaunchArgument(
            'map', default_value='', description='Map file (.vpr), made with build_map'),
        DeclareLaunchArgument(
            'model', default_value='',
            description='Model file (.onnx), or the name of one that comes with the package; '
            'empty: the one that the map was made with'),
        DeclareLaunchArgument(
            'params_file', default_value='',
            description='Parameters of the node; the other arguments override it. All of them, '
            'with their defaults, are in config/localize.yaml'),
        DeclareLaunchArgument(
            'image_topic', default_value='',
            description="Camera topic; empty: the parameter 'image_topics'"),
        DeclareLaunchArgument(
            'image_transport', default_value='', choices=['', 'raw', 'compressed'],
            description="'compressed' subscribes <image_topic>/compressed; empty: the parameter"),
        DeclareLaunchArgument('namespace', default_value='', description='Namespace of the node'),
        DeclareLaunchArgument(
            'tf_in_namespace', default_value='true', choices=_TRUTH,
            description='Transforms are those of the namespace, <namespace>/tf, as Nav2 has them; '
            'false: all robots share /tf'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='', choices=['', *_TRUTH],
            description='Take the time from /clock; empty: the parameter'),
        DeclareLaunchArgument(
            'autostart', default_value='', choices=['', *_TRUTH],
            description='Configure and activate at start; false leaves it to a lifecycle '
            'manager; empty: true, unless a parameter says otherwise'),
        DeclareLaunchArgument(
            'required', default_value='false', choices=_TRUTH,
            description='The whole launch ends when the localizer does'),
        DeclareLaunchArgument(
            'rviz', default_value='false', choices=_TRUTH,
            description='Open RViz with config/vpr.rviz'),
        DeclareLaunchArgument('log_level', default_value='info', description='Log level'),
        OpaqueFunction(function=_ignored),
        OpaqueFunction(function=_localizer),
        OpaqueFunction(function=_rviz),
    ])
