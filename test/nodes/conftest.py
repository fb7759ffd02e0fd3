# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Real processes on real ROS 2, kept on this machine."""

from __future__ import annotations

from pathlib import Path

from local_ros import claim_domain, keep_here
import pytest

keep_here(claim_domain())

try:
    from camera import Robot
    from probe import Probe
    from processes import Localizer, SharedLocalizer
    import rclpy
    from rclpy.signals import SignalHandlerOptions
except ImportError:  # the reason is in the report's header
    collect_ignore_glob = ['test_*.py']


@pytest.fixture(scope='package')
def lasting_probe():
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    made = Probe()
    yield made
    made.node.destroy_node()
    rclpy.shutdown()


@pytest.fixture
def probe(lasting_probe):
    lasting_probe.begin()
    yield lasting_probe
    lasting_probe.end()


@pytest.fixture
def start(tmp_path):
    """Start localizers that are stopped at the end of the test."""
    running = []

    def starting(**parameters):
        running.append(Localizer(tmp_path / f'log{len(running)}.txt', **parameters))
        return running[-1]

    yield starting
    for localizer in running:
        localizer.stop()


@pytest.fixture(scope='package')
def lasting_localizer(tmp_path_factory):
    made = SharedLocalizer(tmp_path_factory.mktemp('shared') / 'log.txt', 'vpr_shared')
    yield made
    made.stop()


@pytest.fixture
def borrow(lasting_localizer, probe):
    """Borrow the localizer that the tests share, unconfigured, with parameters of one's own."""
    yield lambda **parameters: lasting_localizer.lend(probe, **parameters)
    lasting_localizer.take_back(probe)


@pytest.fixture
def bring_up(borrow, probe):
    """Borrow the shared localizer, active."""

    def bringing_up(**parameters):
        localizer = borrow(**parameters)
        assert probe.change('configure'), localizer.log
        assert probe.change('activate'), localizer.log
        return localizer

    return bringing_up


@pytest.fixture
def inside():
    """Make localizers within this process, where what they hold can be counted."""
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import Parameter
    from tetra_vpr_ros.nodes.localizer.node import LocalizeNode
    context = rclpy.Context()  # its own: to the probe it is as far away as another process
    context.init()
    made = []

    def making(*arguments, **parameters):
        made.append(LocalizeNode(
            context=context, cli_args=['--ros-args', '-r', '__node:=vpr_inside', *arguments],
            parameter_overrides=[Parameter(name, value=str(value) if isinstance(value, Path)
                                           else value) for name, value in parameters.items()]))
        made[-1].work = SingleThreadedExecutor(context=context)
        made[-1].work.add_node(made[-1])
        return made[-1]

    yield making
    for node in made:
        node.work.shutdown()
        node.close()
    context.try_shutdown()


@pytest.fixture
def robot(probe, drive):
    return Robot(probe, drive)


@pytest.fixture
def wall_robot(probe, wall):
    return Robot(probe, wall)
