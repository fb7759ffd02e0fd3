# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Too many frames, files that change and disks that are full: bounded, told, and alive."""

import os
import shutil
import signal
import subprocess
import sys
import weakref

from load import CAMERAS, Cameras, deaf_subscriber, pictures, settled
from processes import ENOUGH
import pytest
from rclpy.lifecycle import TransitionCallbackReturn as Outcome
from sample_data import ROOT
from soak import resident_mb

pytestmark = pytest.mark.ros

BURST = 10_000


def test_a_burst_of_four_cameras_is_not_worked_through(start, probe, wall, wall_map):
    """Also while somebody subscribes reliably and never reads."""
    localizer = start(map=wall_map, autostart=True, image_topics=f"[{','.join(CAMERAS)}]",
                      image_transport='compressed', no_image_timeout=3600.0)
    cameras = Cameras(probe, pictures(wall[:5]))
    cameras.wait(localizer)
    deaf = deaf_subscriber()
    try:
        settled(probe, cameras, ENOUGH)
        before = resident_mb(localizer.process.pid)
        for _ in range(BURST // len(CAMERAS)):
            cameras.show()
            probe.spin(seconds=0.0)
        values = settled(probe, cameras, ENOUGH)
    finally:
        deaf.kill()
        deaf.communicate()
    counts = {key.removeprefix('frames '): int(value) for key, value in values.items()
              if key.startswith('frames ')}
    assert counts['failed'] == counts['refused'] == 0
    # Nothing piles up that would be answered later: the newest frame, which was waited for, came
    # next. Had 10,000 been worked through, it would have waited for minutes.
    assert counts['processed'] < BURST / 4
    assert counts['received'] > counts['processed']
    assert 0.0 < float(values['latency p99 ms']) <= float(values['latency max ms'])
    assert resident_mb(localizer.process.pid) < before + 50
    assert 'Traceback' not in localizer.log


def test_a_map_that_changes_on_the_disk_is_told(bring_up, probe, wall_robot, wall_map, tmp_path):
    path = tmp_path / 'home.vpr'
    shutil.copy(wall_map, path)
    localizer = bring_up(map=path, image_topics=['/cam'])
    wall_robot.wait(localizer)
    wall_robot.show([10])
    os.replace(shutil.copy(wall_map, tmp_path / 'new.vpr'), path)
    assert probe.spin(lambda: 'home.vpr was replaced' in localizer.log), localizer.log
    wall_robot.show([11, 12])
    path.unlink()
    assert probe.spin(lambda: 'home.vpr was deleted' in localizer.log), localizer.log
    wall_robot.show([13, 14])  # what is open stays open
    assert probe.change('deactivate')
    assert probe.change('cleanup')
    assert not probe.change('configure')
    shutil.copy(wall_map, path)
    assert probe.change('configure')
    assert probe.change('activate')
    wall_robot.wait(localizer)
    with path.open('r+b') as file:  # as cp does it, and worse
        file.write(bytes(path.stat().st_size))
    assert probe.spin(lambda: 'home.vpr was overwritten' in localizer.log), localizer.log
    wall_robot.publish(30)
    wall_robot.publish(31)
    assert probe.spin(lambda: any(
        'the last one failed: /cam: MapError: ' in probe.values_of(status)[1]['detail']
        for status in probe.received['/vpr/status'])), localizer.log
    assert probe.state() == 'active'
    assert probe.change('deactivate')
    assert probe.change('cleanup')
    assert not probe.change('configure')
    assert 'Traceback' not in localizer.log


def test_model_and_map_are_let_go_of_at_once(inside, wall_map):
    node = inside(map=wall_map)
    for _ in range(2):
        assert node.trigger_configure() == Outcome.SUCCESS
        assert node.trigger_activate() == Outcome.SUCCESS
        held = [weakref.ref(node._loaded.encoder), weakref.ref(node._loaded.place_map)]
        assert node.trigger_deactivate() == Outcome.SUCCESS
        assert node.trigger_cleanup() == Outcome.SUCCESS
        assert [reference() for reference in held] == [None, None]


def test_where_nothing_can_be_logged_the_node_works(probe, wall_map):
    with open('/dev/full', 'w') as full:
        process = subprocess.Popen(
            [sys.executable, '-m', 'tetra_vpr_ros.nodes.localize', '--ros-args', '-p',
             'autostart:=true', '-p', f'map:={wall_map}'], cwd=ROOT, stdout=full, stderr=full)
    try:
        assert probe.spin(lambda: probe.received['/diagnostics'])
        assert probe.state() == 'active'
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(ENOUGH)
        process.kill()
