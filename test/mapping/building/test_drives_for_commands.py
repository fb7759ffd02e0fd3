# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The other commands that read bags read those that build_map reads, with the same options."""

import json

import numpy as np
import pytest
from recorded import fixes
from street import camera, S, STEP, transforms, write_recording, write_street
from tetra_vpr_ros.evaluation import evaluate
from tetra_vpr_ros.mapping import build_map, BuildOptions, MapError, PlaceMap
from tetra_vpr_ros.mapping.motion import compose
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.mapping.sources.gps import pose_of_frame, track_from_fixes
from tetra_vpr_ros.mapping.tools.merge import merge
from tetra_vpr_ros.nodes import calibrate_map

T = 1_700_000_000 * S
N = 60


def robot(name, away=0.0):
    return [(stamp, 'odometry', {'stamp': stamp, 'x': away + 2.0 * i / 10, 'received': stamp,
                                 'topic': f'/{name}/odom'})
            for i, stamp in enumerate(range(T, T + N * STEP, STEP))]


def poses(every):
    return [(stamp, 2.0 * (stamp - T) / S) for stamp in range(T, T + N * STEP + every, every)]


def odometry(every):
    return [(stamp, 'odometry', {'stamp': stamp, 'x': x}) for stamp, x in poses(every)]


RECORDINGS = {
    'two robots': lambda images: (
        [*camera(T, images, '/robot1/image'), *robot('robot1'), *robot('robot2', 99)],
        []),
    'transforms': lambda images: (
        [*camera(T, images), *transforms('map', 'odom', [(t, 0.0) for t, _ in poses(S)], 0, S),
         *transforms('odom', 'base_link', poses(STEP // 2))],
        ['--tf-frames', 'map', 'base_link']),
    'transforms of one of two robots': lambda images: (
        [*camera(T, images), *transforms('map', 'base', poses(STEP), topic='/robot1/tf'),
         *transforms('map', 'base', [(t, x + 99) for t, x in poses(STEP)], topic='/robot2/tf')],
        ['--tf-frames', 'map', 'base', '--tf-topic', '/robot1/tf']),
    'a clock since power-on': lambda images: (
        [*camera(T, images, clock=20 * S - T, delay=0), *odometry(STEP)],
        ['--image-time', 'received']),
    'rare poses': lambda images: (
        [*camera(T, images), *odometry(3 * S)], ['--max-pose-gap', '3']),
}


@pytest.fixture
def plain(street, tiny, tmp_path):
    """Return a map of the street."""
    write_street(tmp_path / 'plain', street[:2 * N])
    build_map(BuildOptions(tmp_path / 'plain.vpr', (tmp_path / 'plain',), model=tiny,
                           keyframe_distance=0.1), progress=False)
    return tmp_path / 'plain.vpr'


@pytest.mark.parametrize('recording', RECORDINGS)
def test_a_drive_is_read_with_the_options_of_build_map(
        plain, street, tiny, tmp_path, capsys, monkeypatch, recording):
    events, options = RECORDINGS[recording]([image for _, _, image in street[:N]])
    write_recording(tmp_path / 'run', events)
    asked = ['--map', str(plain), '--bag', str(tmp_path / 'run'), '--model', str(tiny), *options]
    assert evaluate.main([*asked, '--radius', '0.15', '--json', str(tmp_path / 'out.json')]) == 0
    row, = json.loads((tmp_path / 'out.json').read_text())
    assert row['n'] >= N - 1
    assert row['recall']['1'] > 0.9  # so the poses are those of the pictures
    read = []
    monkeypatch.setattr(calibrate_map, 'calibrate_file', lambda _, queries: (
        read.append(len(queries)), pytest.fail('nothing was read') if not queries else None,
        type('Found', (), {'summary': lambda self: 'fine'})())[-1])
    assert calibrate_map.main(asked) == 0
    assert read[0] > 15
    capsys.readouterr()


def test_what_a_drive_lacks_is_told_and_nothing_is_made_up(plain, street, tiny, tmp_path, capsys):
    images = [image for _, _, image in street[:N]]
    write_recording(tmp_path / 'run', [
        *camera(T, images), *[event for event in odometry(STEP) if event[0] > T + 3 * S]])
    asked = ['--map', str(plain), '--bag', str(tmp_path / 'run'), '--model', str(tiny)]
    assert evaluate.main(asked) == 0
    told = capsys.readouterr().err
    assert '31 frames without a pose: before the first pose, at 1700000003.100 s' in told
    write_recording(tmp_path / 'none', [
        *camera(T, images), *[(t + 900 * S, 'odometry', {**what, 'stamp': t + 900 * S})
                              for t, _, what in odometry(STEP)]])
    asked[3] = str(tmp_path / 'none')
    assert evaluate.main(asked) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert 'no frame can be used: 60 frames without a pose: before the first pose' in told[-1]


def test_gps_drives_are_in_the_frame_of_the_map(plain, street, tiny, tmp_path, capsys):
    images = [image for _, _, image in street[:N]]

    def fixes(start):
        return [(T + i * STEP, 'fix', {
            'stamp': T + i * STEP, 'latitude': 49.0 + 2e-6 * (start + i), 'longitude': 8.4})
            for i in range(N)]

    write_recording(tmp_path / 'first', [*camera(T, images), *fixes(0)])
    write_recording(tmp_path / 'second', [*camera(T, images), *fixes(900)])
    both = [tmp_path / name for name in ('gps.vpr', 'first')]
    build_map(BuildOptions(both[0], both[1:], model=tiny), progress=False)
    drive = calibrate_map.read_drive(BuildOptions(both[0], (tmp_path / 'second',), model=tiny))
    assert drive.positions[0, 1] == pytest.approx(200.0, abs=1.0)
    for command in (evaluate.main, calibrate_map.main):
        assert command(['--map', str(plain), '--bag', str(tmp_path / 'second'), '--model',
                        str(tiny)]) == 1
        assert 'are not in a GPS frame' in capsys.readouterr().err


def test_frames_of_gps_lie_to_each_other_as_their_fixes_do():
    near, far = (47.0, 8.0, 400.0), (47.1, 8.2, 900.0)
    fix = np.array([[47.05, 8.1, 500.0]])
    in_near, in_far = (track_from_fixes([T], fix, origin).positions[0] for origin in (near, far))
    moved = compose(pose_of_frame(far, near), Pose(in_far, np.array([0.0, 0.0, 0.0, 1.0])))
    assert np.allclose(moved.position, in_near, atol=1e-6)
    assert np.linalg.norm(in_near - in_far) > 10_000


def test_maps_of_gps_are_merged_where_their_places_are(street, tiny, plain, tmp_path):
    """Each has its first fix for an origin."""
    drive = poses(STEP)
    for name, first in (('west', 0), ('east', 30)):
        images = [image for _, _, image in street[first:first + 30]]
        write_recording(tmp_path / name, [
            *camera(drive[first][0], images), *fixes(drive[first:first + 31])])
        build_map(BuildOptions(tmp_path / f'{name}.vpr', (tmp_path / name,), model=tiny,
                               keyframe_distance=0.1), progress=False)
    both = tmp_path / 'both.vpr'
    merge(tmp_path / 'west.vpr', tmp_path / 'east.vpr', both, progress=False)
    with PlaceMap.open_file(both) as opened:
        table = opened.places()
        assert len(table) > 55
        assert np.allclose(table.positions[:, 0], 2.0 * (table.stamps - T) / S, atol=1e-2)
    with pytest.raises(MapError, match=f'{plain} is not: say with --transform'):
        merge(both, plain, tmp_path / 'none.vpr', progress=False)
    assert not (tmp_path / 'none.vpr').exists()


def test_poses_that_are_not_of_gps_are_told_of_in_a_map_of_gps(street, tiny, tmp_path):
    images = [image for _, _, image in street[:30]]
    write_recording(tmp_path / 'gps', [*camera(T, images), *fixes(poses(STEP))])
    write_recording(tmp_path / 'odometry', [*camera(T, images), *odometry(STEP)])
    report = build_map(BuildOptions(tmp_path / 'm.vpr', (tmp_path / 'gps', tmp_path / 'odometry'),
                                    model=tiny), progress=False)
    assert [note for note in report.notes if 'odometry: its poses are not of GPS' in note]
