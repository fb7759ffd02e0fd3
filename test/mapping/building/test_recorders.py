# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What recorders, simulations and drivers do to bags, as it was told in public."""

import shutil
import sqlite3

from bag_factory import BagFactory
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode
from street import camera, S, STEP, transforms, write_recording
from tetra_vpr_ros.mapping import BagError, build_map, BuildOptions, MapError, PlaceMap

T = 1_700_000_000 * S
N = 20
MS = 1_000_000
TF = {'tf_frames': ('map', 'base_link')}


@pytest.fixture
def images(street):
    return [image for _, _, image in street[:N]]


@pytest.fixture
def mapped(tmp_path, tiny):
    """Return how to map a bag, where its places are, and the report."""
    def mapped(path, **options):
        output = tmp_path / 'm.vpr'
        report = build_map(BuildOptions(output, (path,), model=tiny, **options), progress=False)
        with PlaceMap.open_file(output) as opened:
            return opened.places().positions[:, 0], report

    return mapped


def drive(begin=T, period=20 * MS):
    return [(begin + t, t / S * 10.0) for t in range(0, N * STEP + 1, period)]


def odometry(poses, **more):
    return [(stamp, 'odometry', {'stamp': stamp, 'x': x, **more}) for stamp, x in poses]


def right(positions, first=0):
    assert np.allclose(positions, np.arange(first, N), atol=1e-3)


@pytest.mark.parametrize('storage, mode', [
    ('mcap', CompressionMode.MESSAGE), ('sqlite3', CompressionMode.MESSAGE),
    ('sqlite3', CompressionMode.FILE)])
def test_compressed_recordings(tmp_path, images, mapped, storage, mode):
    with BagFactory(tmp_path / 'run', storage, compression=(mode, CompressionFormat.ZSTD)) as bag:
        for _, write, arguments in sorted([*camera(T, images), *odometry(drive())],
                                          key=lambda event: event[0]):
            getattr(bag, write)(**arguments)
    right(mapped(tmp_path / 'run')[0])


@pytest.mark.parametrize('alone', [True, False])
def test_a_recorder_that_was_killed_leaves_a_log_beside_the_database(
        tmp_path, images, mapped, alone, monkeypatch):
    write_recording(tmp_path / 'run', [*camera(T, images), *odometry(drive())], 'sqlite3')
    file = next((tmp_path / 'run').glob('*.db3'))
    with sqlite3.connect(file) as db:
        rows = db.execute('SELECT * FROM messages').fetchall()
        db.execute('DELETE FROM messages')
        db.commit()
        db.execute('PRAGMA journal_mode=WAL')
        db.execute('PRAGMA wal_autocheckpoint=0')
        db.executemany(f"INSERT INTO messages VALUES ({', '.join('?' * len(rows[0]))})", rows)
        db.commit()
        killed = tmp_path / 'killed'
        killed.mkdir()
        for path in (tmp_path / 'run').iterdir():
            shutil.copy(path, killed)
    before = {path: path.read_bytes() for path in killed.iterdir()}
    assert len(before) == 4
    positions, report = mapped(killed / file.name if alone else killed)
    right(positions)
    assert not report.failed
    assert '-wal holds the last messages of a recorder that was killed: they' in report.notes[0]
    assert {path: path.read_bytes() for path in killed.iterdir()} == before

    def full(*_):
        raise OSError('No space left on device')

    (tmp_path / 'm.vpr').unlink()
    monkeypatch.setattr(shutil, 'copyfile', full)
    with pytest.raises((BagError, MapError), match=r"No space left .* 'PRAGMA wal_checkpoint'"):
        mapped(killed / file.name if alone else killed)


def test_a_bag_that_is_damaged_beside_its_log_is_named_and_not_its_copy(tmp_path, mapped):
    (tmp_path / 'run_0.db3').write_bytes(b'')
    (tmp_path / 'run_0.db3-wal').write_bytes(b'no log')
    with pytest.raises(BagError, match=f'Cannot open database {tmp_path}/run_0.db3'):
        mapped(tmp_path / 'run_0.db3')


QOS = r'''"- history: 3\n  depth: 0\n  reliability: 2\n  durability: 2\n  deadline:\n    sec: 9223372036\n    nsec: 854775807\n  lifespan:\n    sec: 9223372036\n    nsec: 854775807\n  liveliness: 1\n  liveliness_lease_duration:\n    sec: 9223372036\n    nsec: 854775807\n  avoid_ros_namespace_conventions: false"'''  # noqa: E501
NEW_QOS = """
          - history: unknown
            depth: 0
            reliability: best_effort
            durability: volatile
            deadline: {sec: 9223372036, nsec: 854775807}
            lifespan: {sec: 9223372036, nsec: 854775807}
            liveliness: automatic
            liveliness_lease_duration: {sec: 9223372036, nsec: 854775807}
            avoid_ros_namespace_conventions: false"""


@pytest.mark.parametrize('version, qos', [(5, QOS), (9, NEW_QOS)], ids=['Humble', 'Jazzy'])
def test_metadata_with_the_qos_of_drivers(tmp_path, images, mapped, version, qos):
    write_recording(tmp_path / 'run', [*camera(T, images, form=''), *odometry(drive())],
                    'sqlite3')
    metadata = tmp_path / 'run' / 'metadata.yaml'
    text = metadata.read_text()
    assert text.count('offered_qos_profiles: []') == 2
    metadata.write_text(text.replace('offered_qos_profiles: []', f'offered_qos_profiles: {qos}')
                        .replace('version: 9', f'version: {version}'))
    right(mapped(tmp_path / 'run')[0])


def test_what_came_before_the_simulation_s_clock_is_recorded_at_zero(tmp_path, images, mapped):
    events = [*camera(T, images), *odometry(drive())]
    write_recording(tmp_path / 'run', [
        (0 if arguments['stamp'] < T + 500 * MS else received, write,
         {**arguments, 'received': 1 if arguments['stamp'] < T + 500 * MS else received})
        for received, write, arguments in sorted(events, key=lambda event: event[0])])
    right(mapped(tmp_path / 'run')[0])


def test_a_slow_simulation_that_is_recorded_by_the_wall_s_clock(tmp_path, images, mapped):
    begin = 30 * S  # of the simulation, at a third of the speed
    events = [*camera(begin, images), *transforms('map', 'odom', [
        (stamp, 3.0) for stamp, _ in drive(begin)], 0, S),
        *transforms('odom', 'base_link', drive(begin))]
    write_recording(tmp_path / 'run', [
        (wall, write, {**arguments, 'received': wall}) for wall, write, arguments in (
            (T + 3 * received, write, arguments) for received, write, arguments in events)])
    positions, report = mapped(tmp_path / 'run', **TF)
    right(positions - 3.0)
    assert report.notes == []


def test_a_simulation_that_was_reset_is_two_drives(tmp_path, images, mapped):
    events = []
    for part, y in ((0, 3.0), (60 * S, 1000.0)):
        begin = 5 * S
        found = [*camera(begin, images), *transforms('map', 'odom', [
            (stamp, y) for stamp, _ in drive(begin)], 0),
            *transforms('odom', 'base_link', drive(begin))]
        events += [(T + part + received, write, {**arguments, 'received': T + part + received})
                   for received, write, arguments in found]
    write_recording(tmp_path / 'run', events)
    positions, report = mapped(tmp_path / 'run', **TF)
    right(positions[:N] - 3.0)
    right(positions[N:] - 1000.0)
    assert 'jump back 1 times' in report.notes[0]


@pytest.mark.parametrize('options', [{}, {'image_time': 'received'}])
def test_a_recorder_on_another_computer_whose_clock_is_off(tmp_path, images, mapped, options):
    events = [*camera(T, images), *odometry(drive())]
    write_recording(tmp_path / 'run', [
        (received, write, {**arguments, 'received': received + 111_700 * MS})
        for received, write, arguments in events])
    positions, report = mapped(tmp_path / 'run', **options)
    right(positions - (0.6 if options else 0.0))
    assert len(report.notes) == len(options)


@pytest.mark.parametrize('back', [1500 * MS, 3600 * S])
@pytest.mark.parametrize('options', [{}, TF])
def test_a_clock_that_was_set_back_while_the_robot_drove(
        tmp_path, images, mapped, options, back):
    poses = [*transforms('map', 'odom', [(stamp, 0.0) for stamp, _ in drive()], 0, S),
             *transforms('odom', 'base_link', drive())] if options else odometry(drive())
    events = []
    for received, write, arguments in [*camera(T, images), *poses]:
        ahead = S if arguments.get('parent') == 'map' else 0
        if arguments['stamp'] - ahead >= T + S:  # dated by the clock that was set by then
            key = 'header_stamp' if write == 'jpeg' else 'stamp'
            arguments = {**arguments, key: arguments[key] - back, 'received': received}
        events.append((received, write, arguments))
    write_recording(tmp_path / 'run', events)
    positions, report = mapped(tmp_path / 'run', **options)
    assert np.allclose(positions, [*range(10), *range(10, N)], atol=1e-3)
    assert 'jump back 1 times' in report.notes[0]


@pytest.mark.parametrize('every', [20 * MS, S])
def test_a_localizer_that_begins_with_stamps_near_zero(tmp_path, images, mapped, every):
    first = [(T + t, 'transform', {'stamp': S // 5, 'received': T + t, 'parent': '/map',
                                   'child': '/odom', 'x': -77.0}) for t in range(0, 400 * MS, MS)]
    write_recording(tmp_path / 'run', [
        *camera(T, images), *first, *transforms('odom', 'base_link', drive()),
        *transforms('map', 'odom', [(stamp, 3.0) for stamp, _ in drive(T + 500 * MS, every)], 0)])
    positions, report = mapped(tmp_path / 'run', **TF)
    right(positions - 3.0, 5)
    assert 'map → odom are left out' in report.notes[0]


def test_a_camera_of_atomic_time_is_refused(tmp_path, images, mapped):
    write_recording(tmp_path / 'run', [
        *camera(T + S, images, clock=37 * S), *odometry(drive(period=MS * 500))])
    with pytest.raises(BagError, match=r'\+3\d\.\d+ s off.*--image-time received'):
        mapped(tmp_path / 'run')


@pytest.mark.parametrize('stamp', [T, 5 * S])
def test_a_camera_whose_stamps_stand_still_is_refused(tmp_path, images, mapped, stamp):
    write_recording(tmp_path / 'run', [
        *((at, write, {**arguments, 'header_stamp': stamp})
          for at, write, arguments in camera(T, images)), *odometry(drive())])
    with pytest.raises(BagError, match=('/camera/image_raw/compressed stand still.*'
                                        '--image-time received')):
        mapped(tmp_path / 'run')
    right(mapped(tmp_path / 'run', image_time='received')[0] - 0.6)


def test_poses_whose_stamps_stand_still_are_refused(tmp_path, images, mapped):
    write_recording(tmp_path / 'run', [*camera(T, images), *(
        (stamp, 'odometry', {'stamp': T, 'received': stamp, 'x': x}) for stamp, x in drive())])
    with pytest.raises(BagError, match=r'/odom: .* stand still'):
        mapped(tmp_path / 'run')


def test_a_later_part_of_a_recording_that_was_split_lacks_static_transforms(
        tmp_path, images, mapped):
    write_recording(tmp_path / 'run', [
        *camera(T, images), *transforms('map', 'base_link', drive())])
    with pytest.raises(BagError, match=r"'camera'.*lacks /tf_static, name its whole folder"):
        mapped(tmp_path / 'run', tf_frames=('map', 'camera'))


def test_a_frame_with_two_parents_is_noted(tmp_path, images, mapped):
    write_recording(tmp_path / 'run', [
        *camera(T, images), *transforms('map', 'base_link', drive()),
        *transforms('odom', 'base_link', [(stamp, 2 * x) for stamp, x in drive()])])
    positions, report = mapped(tmp_path / 'run', **TF)
    right(positions)
    assert "'base_link' has several parents: 'map' is taken, not 'odom'" in report.notes[0]


def test_two_publishers_of_a_transform_are_refused(tmp_path, images, mapped):
    write_recording(tmp_path / 'run', [
        *camera(T, images), *transforms('map', 'base_link', drive()),
        *transforms('map', 'base_link', [(stamp + 9 * MS, x + 40.0) for stamp, x in drive()])])
    with pytest.raises(BagError, match=r'map → base_link: its poses leap by 40 m'):
        mapped(tmp_path / 'run', **TF)


def test_amcl_tells_its_pose_only_while_the_robot_moves(tmp_path, images, mapped):
    poses = drive(period=900 * MS)
    write_recording(tmp_path / 'run', [*camera(T, images), *(
        (stamp, 'pose_with_covariance', {'stamp': stamp, 'x': x}) for stamp, x in poses)])
    positions, _ = mapped(tmp_path / 'run')
    assert np.allclose(positions, np.arange(19))  # the last comes after 1.8 s


def test_images_that_are_none_at_all_leave_no_map(tmp_path, images, mapped):
    write_recording(tmp_path / 'run', [
        *camera(T, images, data=b'\x00\x00\x00\x01\x67\x64\x00\x1f', form='h264'),
        *odometry(drive())])
    with pytest.raises(MapError, match=(
            r'nothing was mapped of 20 frames: 20 frames that cannot be decoded: .*; the first: '
            r'/camera/image_raw/compressed at 1700000000\.000 s')):
        mapped(tmp_path / 'run')
    assert [path.name for path in tmp_path.iterdir()] == ['run']


@pytest.mark.parametrize('form', ['file', 'folder'])
def test_messages_of_another_system_are_told(mapped, tmp_path, images, form):
    path = tmp_path / 'run'
    write_recording(path, [*camera(T, images), (T, 'odometry', {'stamp': T, 'x': 0.0})])
    file, = path.glob('*.mcap')
    file.write_bytes(file.read_bytes().replace(b'ros2msg', b'ros1msg'))
    with pytest.raises(BagError, match=f"{'run.mcap' if form == 'file' else 'run'} holds messages "
                                       "of 'ros1msg', not of ROS 2: convert it"):
        mapped(file if form == 'file' else path)
