# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Worlds, bags and maps that several tests use; made once."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from tetra_vpr_ros.mapping import build_map, BuildOptions
from tetra_vpr_ros.simulation import route
from tetra_vpr_ros.simulation.bag import write_bag
from tetra_vpr_ros.simulation.floor_plan import build_floor_plan
from tetra_vpr_ros.vision import PlaceEncoder
from wall import noise_wall

pytest_plugins = ['seeds', 'selection']

# What these test modules import. They are left out before they are imported: to skip meanwhile
# would end the whole collection where launch_testing's plugin imports them, as on a ROS 2 system.
_IMPORTED = {
    'onnx': ('evaluation/test_benchmark.py', 'evaluation/cost/test_*.py',
             'evaluation/cost/*/test_*.py', 'vision/test_encoder.py',
             'vision/test_model_faults.py'),
    'torch': ('evaluation/test_parity.py',),
    'aiohttp': ('nodes/test_watch_process.py', 'nodes/commands/test_watch_command.py'),
    'plotly': ('nodes/test_watch_process.py', 'nodes/commands/test_watch_command.py',
               'viewing/test_map_report.py', 'viewing/test_drive_page.py'),
    'hypothesis': ('localization/test_covariance.py', 'mapping/map/test_hamming_index.py',
                   'mapping/sources/test_pose_track.py', 'mapping/sources/test_recording_clock.py',
                   'nodes/localizer/test_conversions.py', 'vision/test_decoding_fuzz.py',
                   'vision/test_image_files.py')}
collect_ignore_glob = [pattern for module, patterns in _IMPORTED.items()
                       if find_spec(module) is None for pattern in patterns]

LEVEL = 'e1m1'
START_NS = 1_700_000_000_000_000_000


def pytest_configure(config):
    """Know the marks of pytest-timeout and pytest-xdist where they are not installed."""
    config.addinivalue_line('markers', 'timeout(seconds): stop a test that hangs')
    config.addinivalue_line('markers', 'xdist_group(name): what one worker keeps')


def pytest_report_header(config):
    """Say which tests cannot run here, and why."""
    needs = (('rclpy', 'test/nodes'), ('torch', 'test/training'), ('vizdoom', 'test/simulation'),
             ('launch_ros', 'the launch test'), ('cv_bridge', 'the cv_bridge comparison'),
             ('onnx', 'tests that make models'), ('aiohttp', 'tests of the live view'),
             ('plotly', 'tests of pages'), ('hypothesis', 'tests of properties'))
    return [f'{module} is not installed: {tests} will not run'
            for module, tests in needs if find_spec(module) is None]


@pytest.fixture(scope='session')
def encoder() -> PlaceEncoder:
    """Return the shipped model."""
    return PlaceEncoder()  # one thread: two tests run at a time


@pytest.fixture(scope='session')
def doom_world():
    """Return the class of rendered worlds; whoever asks is skipped where there is no engine."""
    pytest.importorskip('vizdoom', reason='the simulated world needs vizdoom')
    from tetra_vpr_ros.simulation.world import DoomWorld
    return DoomWorld


@pytest.fixture(scope='session')
def drive(doom_world):
    """Return (stamp, pose, image) of the first 40 m of a lap, a frame each 0.2 m."""
    with doom_world(LEVEL) as world:
        plan = build_floor_plan(world.sectors(), world.start)
        poses = route.drive(route.plan_lap(plan), 0.2)[:200]
        frames = []
        for i, pose in enumerate(poses):
            image, stood = world.look(pose)
            frames.append((START_NS + i * 100_000_000, stood, image))
    return frames


@pytest.fixture(scope='session')
def bag(drive, tmp_path_factory) -> Path:
    """Return an MCAP bag of the drive."""
    path = tmp_path_factory.mktemp('bags') / 'drive'
    write_bag(path, drive)
    return path


@pytest.fixture(scope='session')
def map_file(bag, tmp_path_factory) -> Path:
    """Return a map of the drive."""
    path = tmp_path_factory.mktemp('maps') / 'drive.vpr'
    build_map(BuildOptions(bags=(bag,), output=path), progress=False)
    return path


@pytest.fixture(scope='session')
def sparse_map(bag, tmp_path_factory) -> Path:
    """Return a map of the drive with a place only each 3 m, for what touches every place."""
    path = tmp_path_factory.mktemp('maps') / 'sparse.vpr'
    build_map(BuildOptions(bags=(bag,), output=path, keyframe_distance=3.0, keyframe_angle=90.0),
              progress=False)
    return path


@pytest.fixture(scope='session')
def featured_map(bag, tmp_path_factory) -> Path:
    """Return a map of the drive with local features."""
    path = tmp_path_factory.mktemp('maps') / 'featured.vpr'
    build_map(BuildOptions(bags=(bag,), output=path, features=True), progress=False)
    return path


@pytest.fixture(scope='session')
def wall():
    """Return (stamp, pose, image) of a drive that needs no rendered world."""
    return noise_wall()


@pytest.fixture(scope='session')
def wall_bag(wall, tmp_path_factory) -> Path:
    """Return a bag of that drive."""
    path = tmp_path_factory.mktemp('wall') / 'bag'
    write_bag(path, wall)
    return path


@pytest.fixture(scope='session')
def wall_map(wall_bag, tmp_path_factory) -> Path:
    """Return a map of the wall, for tests that ask for any map."""
    path = tmp_path_factory.mktemp('wall') / 'wall.vpr'
    build_map(BuildOptions(bags=(wall_bag,), output=path), progress=False)
    return path
