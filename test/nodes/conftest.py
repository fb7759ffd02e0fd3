# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Real processes on real ROS 2, kept on this machine."""

from __future__ import annotations

from local_ros import keep_here
import pytest

keep_here()

try:
    from processes import Localizer, Probe
    import rclpy
except ImportError:  # the reason is in the report's header
    collect_ignore_glob = ['test_*.py']


@pytest.fixture
def probe():
    rclpy.init()
    made = Probe()
    yield made
    made.node.destroy_node()
    rclpy.shutdown()


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
