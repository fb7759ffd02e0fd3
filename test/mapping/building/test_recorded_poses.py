# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses that are none, leap, or are of other kinds spoil nothing else."""

from dataclasses import replace
import re

import numpy as np
import pytest
from recorded import drive, fixes, MS, N, odometry, right, T, TF
from street import camera, S, STEP, transforms, write_recording
from tetra_vpr_ros.mapping import BagError, build_map, BuildOptions, PlaceMap
from tetra_vpr_ros.mapping.tools.prune import prune

LOST = {
    'a null pose': {'x': 0.0, 'turn': (0.0, 0.0, 0.0, 0.0), 'variance': 9999.0},
    'not a number': {'x': float('nan')},
    'infinite': {'x': float('inf')},
    'identity of no certainty': {'x': 0.0, 'variance': 9999.0},
    'the last pose of no certainty': {'x': 10.0, 'variance': 9999.0},
    'angles for a quaternion': {'x': 12.0, 'turn': (4.0, 0.0, 0.0, 0.0)},
}


@pytest.mark.parametrize('lost', LOST.values(), ids=LOST)
def test_odometry_that_is_lost_for_a_while_spoils_nothing_else(built, images, lost):
    events = []
    for stamp, x in drive():
        gone = T + 1500 * MS <= stamp <= T + 1600 * MS
        events.append((stamp, 'odometry', {'stamp': stamp, 'x': x, **(lost if gone else {})}))
    table, report = built([*camera(T, images), *events])
    right(table)
    assert '/odom: 6 of 201 poses are left out' in report.notes[0]
    assert 'the first at stamp 1700000001500000000 ns' in report.notes[0]
    assert not report.failed


@pytest.mark.parametrize('source', ['odometry', 'transforms', 'GPS'])
@pytest.mark.parametrize('begin', [0, 1500 * MS])
def test_poses_that_leap_away_and_back_spoil_nothing_else(built, images, source, begin):
    poses = [(stamp, x + 5000.0 if begin <= stamp - T < begin + 100 * MS else x)
             for stamp, x in drive()]
    events = {'odometry': odometry(poses), 'GPS': fixes(poses),
              'transforms': transforms('map', 'base_link', poses)}[source]
    table, report = built([*camera(T, images), *events], **(TF if source == 'transforms' else {}))
    first = 1 if begin == 0 else 0
    right(table, N - first, first, -1.0 if source == 'GPS' and first else 0.0, within=0.1)
    assert '5 of 201 poses are left out, they leap away and back' in report.notes[0]


def test_an_odometry_that_was_reset_is_noted(built, images):
    poses = [(stamp, x if stamp < T + 2 * S else x - 20.0) for stamp, x in drive()]
    _, report = built([*camera(T, images), *odometry(poses)])
    assert ('its poses leap 1 times for good, the first at stamp 1700000002000000000 ns'
            in report.notes[0])


def test_a_driver_that_never_knows_its_covariance_is_believed(built, images):
    table, report = built([*camera(T, images), *odometry(drive(), variance=9999.0)])
    right(table)
    assert report.notes == []


BAD_FIXES = {'zero': (0.0, 0.0), 'not a number': (float('nan'), float('nan')),
             'off the Earth': (5e9, 8.0)}


@pytest.mark.parametrize('latitude, longitude', BAD_FIXES.values(), ids=BAD_FIXES)
def test_invalid_first_fixes_are_no_origin(built, images, tmp_path, latitude, longitude):
    table, report = built([
        *camera(T, images),
        *((T + i * MS, 'fix', {'stamp': T + i * MS, 'latitude': latitude, 'longitude': longitude})
          for i in range(3)), *fixes(drive(200 * MS)[1:])])
    assert '/fix: 3 of 23 GPS fixes are left out' in report.notes[0]
    with PlaceMap.open_file(tmp_path / 'm.vpr') as opened:
        assert opened.meta()['geodetic_origin'][2] == 400.0
    assert len(table) == N - 2  # before the first fix nothing is known
    assert np.allclose(table.positions[:, 0], np.arange(N - 2), atol=0.01)


def test_altitudes_that_are_not_given_are_those_beside_them(built, images):
    events = [*fixes(drive(200 * MS), float('nan')), *fixes(drive(S)[2:])]
    table, _ = built([*camera(T, images), *sorted(events, key=lambda event: event[0])])
    assert np.allclose(table.positions[:, 2], 0, atol=0.01)


def test_transforms_that_are_none_spoil_nothing_else(built, images):
    table, report = built([
        *camera(T, images), *transforms('map', 'base_link', drive()),
        *((T + i * STEP + MS, 'transform', {
            'stamp': T + i * STEP + MS, 'parent': 'map', 'child': 'base_link', 'x': 0.0,
            'turn': (0.0,) * 4}) for i in range(5))], **TF)
    right(table)
    assert 'map → base_link are left out, the first of a zero quaternion' in report.notes[0]


def test_motion_capture(built, images):
    table, _ = built([*camera(T, images), *(
        (stamp, 'motion_capture', {'stamp': stamp, 'x': x}) for stamp, x in drive())])
    right(table)


@pytest.mark.parametrize('window', [None, 60])
def test_a_path_is_read_when_it_is_named(built, images, window):
    whole = drive(50 * MS)
    paths = [(stamp, 'path', {'received': stamp, 'poses': whole[:i + 1][-(window or 0):]})
             for i, (stamp, _) in enumerate(whole)]
    table, _ = built([*camera(T, images), *paths], pose_topic='/trajectory')
    right(table)


def test_what_holds_no_trajectory_is_refused_by_name(built, images, tmp_path, tiny):
    plan = {'received': T, 'poses': [(T, x) for _, x in drive()]}
    with pytest.raises(BagError, match='no pose topic .*it has: .*trajectories may be: /plan'):
        built([*camera(T, images), (T, 'path', {**plan, 'topic': '/plan'}),
               (T, 'path', {**plan, 'topic': '/particles',
                            'kind': 'geometry_msgs/msg/PoseArray'})])
    for topic, says in (('/particles', "'/particles', it is of type geometry_msgs/msg/PoseArray"),
                        ('/plan', 'it is a plan')):
        with pytest.raises(BagError, match=says):
            build_map(BuildOptions(tmp_path / 'm.vpr', (tmp_path / 'run',), model=tiny,
                                   pose_topic=topic), progress=False)
    assert not (tmp_path / 'm.vpr').exists()


def test_drives_of_which_each_begins_its_own_odometry_are_told(tmp_path, images, tiny):
    for name, start in (('monday', T), ('tuesday', T + 900 * S)):
        write_recording(tmp_path / name, [
            *camera(start, images), *[(at + start - T, 'odometry', {
                'stamp': at + start - T, 'x': x}) for at, x in drive()],
            *transforms('map', 'base_link', [(at + start - T, x) for at, x in drive()])])
    bags = tmp_path / 'monday', tmp_path / 'tuesday'
    told = "tuesday: the poses are in frame 'odom', which begins anew .* --tf-frames map base_link"
    options = BuildOptions(tmp_path / 'm.vpr', bags, model=tiny)
    assert re.search(told, *build_map(options, progress=False).notes)
    one, two = (replace(options, output=tmp_path / 'n.vpr', bags=(bag,)) for bag in bags)
    assert build_map(one, progress=False).notes == []
    assert re.search(told, *build_map(replace(two, append=True), progress=False).notes)
    of_map = replace(options, output=tmp_path / 'o.vpr', **TF)
    assert build_map(of_map, progress=False).notes == []


@pytest.mark.parametrize('period', [20 * MS, MS])
def test_poses_of_a_camera_s_own_axes_are_told(built, images, period):
    ahead = (0.5, 0.5, 0.5, 0.5)  # z of the pose looks along x of the map
    _, report = built([*camera(T, images), *odometry(drive(period), turn=ahead)])
    assert 'the poses move along their z' in report.notes[0]
    assert '--tf-frames' in report.notes[0]


def test_fixes_whose_status_is_not_known_are_fixes(built, images):
    """Drivers that leave the status unset send -2 since Jazzy."""
    unknown = [(stamp, write, {**values, 'status': -2}) for stamp, write, values in fixes(drive())]
    table, report = built([*camera(T, images), *unknown])
    right(table, within=1e-2)
    assert not report.notes


def test_drives_in_other_frames_are_told(tmp_path, images, tiny):
    for name, start, frame in (('monday', T, 'map'), ('tuesday', T + 900 * S, 'world'),
                               ('friday', T + 1800 * S, '/map')):
        write_recording(tmp_path / name, [
            *camera(start, images), *[(at + start - T, 'odometry', {
                'stamp': at + start - T, 'x': x, 'frame': frame}) for at, x in drive()]])
    monday, tuesday, friday = (tmp_path / name for name in ('monday', 'tuesday', 'friday'))
    told = "tuesday: its poses are in frame 'world', those of an earlier drive in 'map'"
    options = BuildOptions(tmp_path / 'm.vpr', (monday, tuesday, friday), model=tiny)
    assert len(build_map(options, progress=False).notes) == 1
    one = replace(options, output=tmp_path / 'n.vpr', bags=(monday,))
    assert build_map(one, progress=False).notes == []
    thin = tmp_path / 'thin.vpr'  # what is written anew from it knows, too
    prune(one.output, thin, spacing=2.0, progress=False)
    for output in (one.output, thin):
        more = replace(one, output=output, append=True, bags=(tuesday,))
        assert re.search(told, *build_map(more, progress=False).notes)


def test_poses_of_several_frames_in_a_topic_are_told(built, images):
    events = [(stamp, 'odometry', {'stamp': stamp, 'x': x, 'frame': 'tag2' if i % 2 else 'tag1'})
              for i, (stamp, x) in enumerate(drive())]
    _, report = built([*camera(T, images), *events])
    assert "several frames, 'tag1' and 'tag2' among them" in report.notes[0]


@pytest.mark.parametrize('turned', [False, True])
@pytest.mark.parametrize('again', ['./run', 'run/run.mcap'])
def test_a_bag_that_is_given_twice_is_told(tmp_path, images, tiny, again, turned):
    write_recording(tmp_path / 'run', [*camera(T, images), *odometry(drive())])
    assert (tmp_path / again).exists()
    bags = tmp_path / 'run', tmp_path / again
    options = BuildOptions(tmp_path / 'm.vpr', bags[::-1] if turned else bags, model=tiny)
    with pytest.raises(BagError, match='is given twice'):
        build_map(options, progress=False)
    assert not options.output.exists()
