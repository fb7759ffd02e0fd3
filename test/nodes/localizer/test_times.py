# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames that come late, and time that begins anew."""

from contextlib import suppress
from types import SimpleNamespace

import pytest
from tetra_vpr_ros.localization import View
from tetra_vpr_ros.nodes.localizer import shared_localizer

pytestmark = pytest.mark.ros

SECOND = 10**9


def test_each_camera_has_a_time_of_its_own():
    told, forgotten = [], []
    node = SimpleNamespace(
        get_logger=lambda: SimpleNamespace(warning=lambda text, **_: told.append(text)),
        get_parameter=lambda _: SimpleNamespace(value=['/front', '/rear']))
    shared = shared_localizer.SharedLocalizer(SimpleNamespace(
        reset=lambda: forgotten.append(True), locate=lambda *_: None,
        set_prior=lambda *_: None), node)

    def show(camera, seconds):
        with suppress(shared_localizer.LateFrameError):
            shared.locate([View(b'', camera)], int((100 + seconds) * SECOND), None, 0.001, 10)

    for moment in range(20):  # the rear camera's clock is behind
        show(0, 0.1 * moment)
        show(1, 0.1 * moment - 7.0)
    assert not forgotten
    assert '/rear: its stamps are 7.0 s behind' in told[0]
    told.clear()
    for moment in range(20):  # the bag begins anew
        show(0, 0.1 * moment - 50.0)
        show(1, 0.1 * moment - 57.0)
    assert len(forgotten) == 1
    assert 'time jumped back by 51.7 s' in told[0]  # at the third of its frames
    shared.set_prior(None, None)  # a simulation is reset, and a person says where the robot is
    show(0, -90.0)
    assert len(forgotten) == 1


def test_time_that_begins_anew_is_noticed(bring_up, robot, map_file):
    localizer = bring_up(map=map_file, image_topics=['/cam'])
    robot.wait(localizer)
    robot.show(range(60, 80))
    for count, index in enumerate((10, 11), 1):  # they might have come late
        robot.publish(index)
        assert robot.probe.spin(lambda count=count: robot.probe.received['/diagnostics'] and int(
            robot.probe.values('/diagnostics')[1]['frames refused']) == count), localizer.log
    assert 'time jumped back by' not in localizer.log
    robot.show(range(12, 20))
    assert localizer.log.count('time jumped back by') == 1, localizer.log
    assert localizer.alive


def test_frames_that_come_late_leave_the_belief_as_it_is(bring_up, robot, map_file):
    localizer = bring_up(map=map_file, image_topics=['/cam'])
    probe = robot.probe
    robot.wait(localizer)
    robot.show(range(60, 80))
    for count, index in enumerate((81, 83, 85), 1):
        robot.publish(10 + index % 3)
        assert probe.spin(lambda count=count: probe.received['/diagnostics'] and int(
            probe.values('/diagnostics')[1]['frames refused']) == count), localizer.log
        probe.received['/vpr/match'].clear()
        robot.show([index])
        assert probe.spin(lambda: probe.received['/vpr/match']), localizer.log
    assert 'frame refused: it is ' in localizer.log
    assert 'older than the one before' in localizer.log
    assert 'the belief is forgotten' not in localizer.log
