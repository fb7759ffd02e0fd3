# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The other commands that read bags read those that build_map reads, with the same options."""

import json

import pytest
from street import camera, S, STEP, transforms, write_recording, write_street
from tetra_vpr_ros.evaluation import evaluate
from tetra_vpr_ros.mapping import build_map, BuildOptions
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
