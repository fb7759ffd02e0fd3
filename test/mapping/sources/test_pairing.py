# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Images and trajectories as other tools name and write them: paired rightly, or refused."""

from datetime import datetime, timezone

import numpy as np
from pictures import lacking, START_NS, touch, tum, xs
import pytest
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping import MapError
from tetra_vpr_ros.mapping.sources.image_folder import read_folder

COUNTERS = [f'{i:06}.jpg' for i in range(12)]
METRES = [float(i) for i in range(12)]


def notes(folder, spec):
    return read_folder(folder, spec)[0].notes


def test_counters_with_a_trajectory_that_starts_at_zero_are_no_seconds(tmp_path):
    folder = touch(tmp_path / 'image_2', COUNTERS)
    file = tum(tmp_path / 'poses.txt', [f'{0.1 * i:.6f}' for i in range(12)])
    assert xs(folder, f'tum:{file}') == METRES
    assert notes(folder, f'tum:{file}') == ['matched 12 of 12 images by order']


NS = [START_NS + 50_000_000 * i for i in range(12)]


@pytest.mark.parametrize('name', [
    '{}.png'.format, lambda ns: f'{ns / 1e9:.6f}.png',
    lambda ns: f'{ns // 10**9}_{ns % 10**9:09}.png',
    lambda ns: f'left-{ns // 10**9}.{ns % 10**9:09}.png', lambda ns: f'{ns // 1000}.png',
    lambda ns: f'cam0_frame_{ns // 10**6}.jpg'], ids=['ns', 's', 's_ns', 'left-s.ns', 'us', 'ms'])
@pytest.mark.parametrize('stamp', [
    str, '{}.000000'.format, lambda ns: f'{ns / 1e9:.6f}',
    lambda ns: f'{ns // 10**9}.{ns % 10**9:09}',
    lambda ns: str(ns // 1000)], ids=['ns', 'ORB-SLAM3', 's', 's.ns', 'us'])
def test_units_of_stamps_in_names_and_in_the_file(tmp_path, name, stamp):
    folder = touch(tmp_path / 'data', map(name, NS))
    file = tum(tmp_path / 'poses.txt', [stamp(ns) for ns in NS])
    traverse = read_folder(folder, f'tum:{file}')[0]
    assert np.allclose([pose.position[0] for _, _, pose in traverse.images], METRES, atol=0.03)
    assert max(abs(np.array([ns for _, ns, _ in traverse.images]) - NS)) <= 10**6
    assert traverse.notes[0].startswith('matched 12 of 12 images by stamp')


@pytest.mark.parametrize('digits', [3, 6])
@pytest.mark.parametrize('period', [0.2, 1.0, 1.01])
def test_seconds_and_a_shorter_fraction(tmp_path, digits, period):
    stamps = [1_700_000_000_700_000_000 + round(period * i * 1e9) for i in range(150)]
    folder = touch(tmp_path / 'data', [
        f'{ns // 10**9}_{ns % 10**9 // 10**(9 - digits):0{digits}}.jpg' for ns in stamps])
    file = tum(tmp_path / 'poses.txt', [f'{ns / 1e9:.9f}' for ns in stamps],
               [period * i for i in range(150)])
    wanted = [period * i for i in range(150)]
    assert np.allclose(xs(folder, f'tum:{file}'), wanted, atol=2e-3)


def test_nanoseconds_without_the_zeros_that_they_begin_with(tmp_path):
    stamps = [1_700_000_000_700_000_000 + 33_333_333 * i for i in range(150)]
    assert len({len(str(ns % 10**9)) for ns in stamps}) > 1
    folder = touch(tmp_path / 'data', [f'left_{ns // 10**9}_{ns % 10**9}.jpg' for ns in stamps])
    file = tum(tmp_path / 'poses.txt', [f'{ns / 1e9:.9f}' for ns in stamps], range(150))
    images = read_folder(folder, f'tum:{file}')[0].images
    assert sorted(ns for _, ns, _ in images) == stamps


@pytest.mark.parametrize('columns', [
    'header.stamp.sec,header.stamp.nanosec,pose.pose.position.x,pose.pose.position.y,'
    'pose.pose.orientation.x,pose.pose.orientation.y,pose.pose.orientation.z,'
    'pose.pose.orientation.w,twist.twist.linear.x',
    '/odom/header/stamp/sec,/odom/header/stamp/nanosec,/odom/pose/pose/position/x,'
    '/odom/pose/pose/position/y,/odom/pose/pose/orientation/x,/odom/pose/pose/orientation/y,'
    '/odom/pose/pose/orientation/z,/odom/pose/pose/orientation/w,/odom/twist/twist/linear/x',
    'sec,nanosec,x,y,qx,qy,qz,qw,speed'], ids=['bagpy', 'PlotJuggler', 'short'])
def test_tables_of_the_fields_of_messages(tmp_path, columns):
    folder = touch(tmp_path / 'data', [f'{ns}.png' for ns in NS])
    file = tmp_path / 'poses.csv'
    file.write_text(f'{columns}\n' + ''.join(
        f'{ns // 10**9},{ns % 10**9},{x},0,0,0,0,1,9\n' for ns, x in zip(NS, METRES)))
    traverse = read_folder(folder, f'csv:{file}')[0]
    assert np.allclose([pose.position[0] for _, _, pose in traverse.images], METRES)
    assert [ns for _, ns, _ in traverse.images] == list(NS)


@pytest.mark.parametrize('digits', [3, 6])
def test_counters_behind_seconds_are_no_fractions(tmp_path, digits):
    names = [f'{1_700_000_000 + i}_{i:0{digits}}.jpg' for i in range(150)]
    folder = touch(tmp_path / 'data', names)
    file = tum(tmp_path / 'poses.txt', [f'{1_700_000_000 + i}.0' for i in range(150)])
    images = read_folder(folder, f'tum:{file}')[0].images
    assert [ns for _, ns, _ in images] == [(1_700_000_000 + i) * 10**9 for i in range(150)]


def test_a_clock_that_began_with_the_power_and_counts_nanoseconds(tmp_path):
    since = [123_456_789_012 + 33_333_333 * i for i in range(12)]
    folder = touch(tmp_path / 'data', [f'{ns}.png' for ns in since])
    file = tum(tmp_path / 'poses.txt', [f'{ns / 1e9:.9f}' for ns in since])
    assert np.allclose(xs(folder, f'tum:{file}'), METRES, atol=1e-3)


def test_slam_that_began_late_and_keyframes_only(tmp_path):
    folder = touch(tmp_path / 'data', [f'{ns}.png' for ns in NS])
    late = tum(tmp_path / 'late.txt', [f'{ns / 1e9:.6f}' for ns in NS[5:]])
    assert xs(folder, f'tum:{late}')[:6] == [None] * 5 + [0.0]
    assert lacking(folder, f'tum:{late}') == {
        f'{ns}.png': f'before the first pose, at {int(NS[5]) / 1e9:.3f} s' for ns in NS[:5]}
    keys = tum(tmp_path / 'keys.txt', NS[::4])
    assert np.allclose(xs(folder, f'tum:{keys}')[:9], np.arange(9) / 4, atol=1e-5)
    slow = [START_NS + 10**9 * i for i in range(12)]  # poses of a second apart: their own rate
    file = tum(tmp_path / 'slow.txt', slow)
    seen = touch(tmp_path / 'slow', [f'{slow[0] + 250_000_000 * i}.png' for i in range(9)])
    assert np.allclose(xs(seen, f'tum:{file}'), np.arange(9) / 4)


def test_poses_that_come_more_rarely_than_is_guessed_need_a_word(tmp_path):
    folder = touch(tmp_path / 'data', [f'{START_NS + 10**9 * i}.png' for i in (1, 2, 3, 9)])
    file = tum(tmp_path / 'poses.txt', [START_NS + 8 * 10**9 * i for i in range(12)])
    with pytest.raises(MapError, match=r'4 without a pose: between two poses 8 s apart, where at '
                       r'most 5 s are interpolated \(--max-pose-gap\); the first: .*\.png'):
        read_folder(folder, f'tum:{file}')
    images = read_folder(folder, f'tum:{file}', max_gap=8 * 10**9)[0].images
    assert np.allclose([pose.position[0] for *_, pose in images], np.array([1, 2, 3, 9]) / 8)


def test_counters_and_fewer_poses(tmp_path):
    folder = touch(tmp_path / 'images', COUNTERS)
    file = tum(tmp_path / 'poses.txt', [f'{0.1 * i:.6f}' for i in range(4, 12)])
    with pytest.raises(MapError, match=r'8 poses for 12 images, and nothing proves .*times\.txt'):
        read_folder(folder, f'tum:{file}')
    (tmp_path / 'times.txt').write_text(''.join(f'{0.1 * i:.6e}\n' for i in range(12)))
    assert np.allclose(xs(folder, f'tum:{file}')[4:], np.arange(8), atol=1e-4)
    assert xs(folder, f'tum:{file}')[:4] == [None] * 4
    keyframes = tum(tmp_path / 'keyframes.txt', [0, 3, 7, 11])
    (tmp_path / 'times.txt').unlink()
    assert [x for x in xs(folder, f'tum:{keyframes}') if x is not None] == [0, 1, 2, 3]
    assert xs(folder, f'tum:{keyframes}')[3:8] == [1, None, None, None, 2]
    assert notes(folder, f'tum:{keyframes}')[0] == 'matched 4 of 12 images by number'


def dated(ns):
    at = datetime.fromtimestamp(ns // 10**9, timezone.utc)
    return f'{at:%Y-%m-%d %H:%M:%S}.{ns % 10**9:09}'


@pytest.mark.parametrize('name, line', [
    ('data.csv', '{ns},{name}\n'), ('rgb.txt', '{seconds:.6f} rgb/{name}\n'),
    ('timestamps.txt', '{date}\n'), ('times.txt', '{seconds:.6f}\n')])
def test_lists_of_times_beside_the_images(tmp_path, name, line):
    folder = touch(tmp_path / 'rgb', COUNTERS)
    (tmp_path / name).write_text('# times\n' + ''.join(line.format(
        ns=ns, seconds=ns / 1e9, date=dated(ns), name=file) for ns, file in zip(NS, COUNTERS)))
    file = tum(tmp_path / 'poses.txt', [f'{ns / 1e9:.6f}' for ns in NS[2:]])
    found = xs(folder, f'tum:{file}')
    assert found[:2] == [None, None]
    assert np.allclose(found[2:], np.arange(10), atol=1e-3)
    assert name in notes(folder, f'tum:{file}')[0]


def test_as_many_poses_of_other_times_are_refused(tmp_path):
    folder = touch(tmp_path / 'images', COUNTERS)
    (tmp_path / 'times.txt').write_text(''.join(f'{0.1 * i}\n' for i in range(12)))
    file = tum(tmp_path / 'poses.txt', [f'{0.3 + 0.11 * i:.4f}' for i in range(12)])
    with pytest.raises(MapError, match=r"other stamps than .*: put ':order' or ':stamp'"):
        read_folder(folder, f'tum:{file}')
    assert xs(folder, f'tum:{file}:order') == METRES
    assert xs(folder, f'tum:{file}:stamp')[:4] == [None, None, None, 0.0]
    shifted = tum(tmp_path / 'shifted.txt', [f'{1e9 + 0.1 * i:.4f}' for i in range(12)])
    assert xs(folder, f'tum:{shifted}') == METRES  # one offset: the same frames


def test_stamps_of_another_clock_are_refused_with_both_ranges(tmp_path):
    folder = touch(tmp_path / 'data', [f'{ns}.png' for ns in NS])
    file = tum(tmp_path / 'poses.txt', [f'{12.3 + 0.1 * i:.3f}' for i in range(30)])
    with pytest.raises(MapError, match=r'images 1403636579\.764 … 1403636580\.314 s, poses '
                       r'12\.300 … 15\.200 s, 1403636567\.464 s apart'):
        read_folder(folder, f'tum:{file}')


def test_stamps_and_a_pose_for_each_that_is_only_counted(tmp_path):
    folder = touch(tmp_path / 'data', [f'{ns}.png' for ns in NS])
    file = tum(tmp_path / 'droid.txt', range(12))
    assert xs(folder, f'tum:{file}') == METRES
    with pytest.raises(MapError, match='no pose fits the stamps'):
        read_folder(folder, f"tum:{tum(tmp_path / 'few.txt', range(11))}")


def test_poses_in_another_order_than_time_are_not_paired_by_order(tmp_path):
    folder = touch(tmp_path / 'images', COUNTERS)
    file = tum(tmp_path / 'poses.txt', [f'{0.1 * i:.1f}' for i in reversed(range(12))])
    with pytest.raises(MapError, match='its stamps do not rise'):
        read_folder(folder, f'tum:{file}')


def kitti(path, count):
    path.write_text(''.join(f'1 0 0 0 0 1 0 0 0 0 1 {i} \n' for i in range(count)))
    return path


def test_a_part_of_a_kitti_sequence(tmp_path):
    file = kitti(tmp_path / '00.txt', 100)
    every = touch(tmp_path / 'every', [f'{i:06}.png' for i in range(0, 100, 10)])
    assert xs(every, f'kitti:{file}') == [10.0 * i for i in range(10)]
    first = touch(tmp_path / 'first', [f'{i:06}.png' for i in range(10)])
    with pytest.raises(MapError, match=r"100 poses for 10 images.*':number'"):
        read_folder(first, f'kitti:{file}')  # the first ten, or each tenth, numbered again?
    assert xs(first, f'kitti:{file}:number') == [float(i) for i in range(10)]


def test_two_cameras_in_one_folder_are_told(tmp_path):
    touch(tmp_path / '00', [f'image_{k}/{name}' for k in (2, 3) for name in COUNTERS])
    file = kitti(tmp_path / '00.txt', 12)
    with pytest.raises(MapError, match=r'lie in 2 folders \(image_2: 12, image_3: 12\)'):
        read_folder(tmp_path / '00', f'kitti:{file}')


@pytest.mark.parametrize('bad', [
    'nan nan nan nan nan nan nan nan', '{} nan 0 0 0 0 0 1', '{} 0 0 0 0 0 0 0',
    '{} inf 0 0 0 0 0 1', '{} 1e300 0 0 0 0 0 1', '{} 1 2', '{} 1 2 3 0 0 0 x',
    '{} 0 0 0 1e300 1e300 1e300 1e300', '1e999999999 1 0 0 0 0 0 1'])
@pytest.mark.filterwarnings('error')
def test_one_bad_line_spoils_neither_the_others_nor_their_order(tmp_path, bad):
    folder = touch(tmp_path / 'images', COUNTERS)
    lines = tum(tmp_path / 'poses.txt', [f'{0.1 * i:.6f}' for i in range(12)]
                ).read_text().splitlines()
    lines[7] = bad.format('0.700000')
    (tmp_path / 'poses.txt').write_text('\n'.join(lines))
    spec = f"tum:{tmp_path / 'poses.txt'}"
    found = xs(folder, spec)
    assert found[:7] + found[8:] == METRES[:7] + METRES[8:]
    if not bad.startswith('1e9'):  # where only the stamp is wrong, the pose is not
        assert lacking(folder, spec) == {'000007.jpg': 'its line holds no pose'}
        assert any('line 8' in note for note in notes(folder, spec))


@pytest.mark.parametrize('change', [
    lambda text: '\ufeff' + text, lambda text: text.replace('\n', '\r\n'),
    lambda text: text.replace(' ', '\t'), lambda text: text.replace(' ', ', '),
    lambda text: text.replace('\n', '   \n'), lambda text: '\n\n' + text + '\n\n',
    lambda text: 'timestamp tx ty tz qx qy qz qw\n' + text,
    lambda text: text.encode('utf-16').decode('latin-1')])
def test_files_of_other_systems(tmp_path, change):
    folder = touch(tmp_path / 'images', COUNTERS)
    file = tum(tmp_path / 'poses.txt', [f'{0.1 * i:.6f}' for i in range(12)])
    text = change(file.read_text())
    file.write_bytes(text.encode('latin-1' if text.startswith('\xff') else 'utf-8'))
    assert xs(folder, f'tum:{file}') == METRES


EUROC = ('#timestamp, p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [], '
         'q_RS_z [], v_RS_R_x [m s^-1]\n')


def test_euroc_and_what_is_taken_for_tum(tmp_path):
    folder = touch(tmp_path / 'data', [f'{ns}.png' for ns in NS])
    file = tmp_path / 'data.csv'
    x, y, z, w = Rotation.from_euler('z', 1.0).as_quat()
    file.write_text(EUROC + ''.join(
        f'{ns},{i},2,3,{w},{x},{y},{z},0\n' for i, ns in enumerate(NS)))
    images = read_folder(folder, f'euroc:{tmp_path}')[0].images
    assert [pose.position[0] for _, _, pose in images] == METRES
    assert Rotation.from_quat(images[3][2].quaternion).as_euler('xyz')[2] == pytest.approx(1.0)
    with pytest.raises(MapError, match='quaternions begin with w: use --poses euroc'):
        read_folder(folder, f'tum:{file}')


@pytest.mark.parametrize('mark', ['#', ''])
def test_a_header_that_names_another_order_is_believed(tmp_path, mark):
    folder = touch(tmp_path / 'data', [f'{ns}.png' for ns in NS])
    turned = Rotation.from_euler('z', 1.0).as_quat()
    tum, euroc = tmp_path / 'w_first.txt', tmp_path / 'w_last.csv'
    tum.write_text(f'{mark}timestamp tx ty tz qw qx qy qz\n' + ''.join(
        f'{ns / 1e9:.9f} {i} 2 3 ' + ' '.join(map(str, np.roll(turned, 1))) + '\n'
        for i, ns in enumerate(NS)))
    with pytest.raises(MapError, match='quaternions begin with w'):
        read_folder(folder, f'tum:{tum}')
    euroc.write_text(f'{mark}timestamp,x,y,z,qx,qy,qz,qw\n' + ''.join(
        f'{ns},{i},2,3,' + ','.join(map(str, turned)) + '\n' for i, ns in enumerate(NS)))
    with pytest.raises(MapError, match='its header puts w last: use --poses csv:'):
        read_folder(folder, f'euroc:{euroc}')
    for file in (tum, euroc):  # by their headers both say the same
        images = read_folder(folder, f'csv:{file}')[0].images
        assert Rotation.from_quat(images[3][2].quaternion).as_euler('xyz')[2] == pytest.approx(1.0)


def test_tum_is_not_taken_for_euroc(tmp_path):
    folder = touch(tmp_path / 'data', [f'{ns}.png' for ns in NS])
    file = tmp_path / 'tum.txt'
    file.write_text(''.join(f'{ns / 1e9:.9f} {i} 2 3 0 0 0 1\n' for i, ns in enumerate(NS)))
    with pytest.raises(MapError, match='looks like one of TUM.* use --poses tum:'):
        read_folder(folder, f'euroc:{file}')


@pytest.mark.parametrize('rest', [',0.1,0.2,0.3,', ''])
def test_what_vins_writes_is_not_taken_for_tum(tmp_path, rest):
    # No header, w first: read as x, y, z, w every camera would stand on its head.
    folder = touch(tmp_path / 'data', [f'{ns}.png' for ns in NS])
    file = tmp_path / 'vins_result.csv'
    file.write_text(''.join(f'{ns},{i},0,0,1,0,0,0{rest}\n' for i, ns in enumerate(NS)))
    with pytest.raises(MapError, match='looks like one of EuRoC.* use --poses euroc'):
        read_folder(folder, f'tum:{file}')
    assert xs(folder, f'euroc:{file}') == METRES


def test_stamps_of_too_few_digits_tell_no_poses_apart(tmp_path):
    folder = touch(tmp_path / 'data', [f'{ns}.png' for ns in NS])
    for form in ('{:.1f}', '{:.9g}', '{:.5e}'):
        file = tum(tmp_path / 'poses.txt', [form.format(ns / 1e9) for ns in NS])
        with pytest.raises(MapError, match='of 12 poses have the stamp of another: .*few digits'):
            read_folder(folder, f'tum:{file}')


def test_tables_with_a_header(tmp_path):
    folder = touch(tmp_path / 'images', COUNTERS)
    file = tmp_path / 'poses.csv'
    file.write_text('image,x,y,heading\n' + ''.join(
        f'images/{name},{i},{2 * i},90\n' for i, name in reversed(list(enumerate(COUNTERS)))))
    images = read_folder(folder, f'csv:{file}')[0].images
    assert [pose.position[0] for _, _, pose in images] == METRES
    assert np.allclose(images[0][2].quaternion, [0, 0, 0, 1])
    file.write_text('name,east_m,north_m,heading_deg\n' + ''.join(
        f'{i:06},{i},0,90\n' for i in range(12)))
    assert xs(folder, f'csv:{file}') == METRES
    file.write_text('name,X [m],Y [m],Yaw [deg]\n' + ''.join(
        f'{i:06},{i},0,90\n' for i in range(12)))
    pose = read_folder(folder, f'csv:{file}')[0].images[5][2]
    assert np.allclose(pose.quaternion, [0, 0, 0.5**0.5, 0.5**0.5])
    file.write_text(file.read_text().replace(' [deg]', ''))
    with pytest.raises(MapError, match='its yaw reaches 90, which are no radians'):
        read_folder(folder, f'csv:{file}')
    file.write_text('stamp_ns;x;y;yaw\n' + ''.join(f'{ns};{i};0;0\n' for i, ns in enumerate(NS)))
    assert xs(folder, f'csv:{file}') == METRES
    file.write_text('name,x,y\na,1,2\n')
    with pytest.raises(MapError, match='has the columns name, x, y: needed are'):
        read_folder(folder, f'csv:{file}')


def test_stamps_that_tell_no_images_apart_are_none(tmp_path):
    # Whole seconds and a counter: thirty images of a second would get one pose.
    folder = touch(tmp_path / 'images', [f'{NS[0] // 10**9}_{i:04}.png' for i in range(12)])
    file = tum(tmp_path / 'poses.txt', [f'{ns / 1e9:.6f}' for ns in NS[3:]])
    with pytest.raises(MapError, match='9 poses for 12 images, and nothing proves'):
        read_folder(folder, f'tum:{file}')


def test_an_odd_name_among_stamps_is_counted(tmp_path):
    folder = touch(tmp_path / 'data', [*(f'{ns}.png' for ns in NS), 'map.png'])
    file = tum(tmp_path / 'poses.txt', NS)
    assert xs(folder, f'tum:{file}') == [*METRES, None]
    assert lacking(folder, f'tum:{file}') == {'map.png': 'there is no stamp of it in the names'}


def test_poses_of_a_camera(tmp_path):
    folder = touch(tmp_path / 'images', COUNTERS)
    file = tmp_path / 'KeyFrameTrajectory.txt'
    # As ORB-SLAM writes them: along z, then with a turn to the right, about y, which is down.
    x, y, z, w = Rotation.from_euler('y', 30, degrees=True).as_quat()
    file.write_text(''.join(f'{0.1 * i:.6f} 0 -1 {i} ' + (
        f'{x} {y} {z} {w}\n' if i > 8 else '0 0 0 1\n') for i in range(12)))
    assert any("put ':camera' behind the file" in note for note in notes(folder, f'tum:{file}'))
    for spec in (f'tum:{file}:slam', f'tum:{file}:slam:order'):
        traverse = read_folder(folder, spec)[0]
        poses = [pose for _, _, pose in traverse.images]
        assert len(traverse.notes) == 1
        assert np.allclose([pose.position for pose in poses], [[i, 0, 1] for i in range(12)])
        turns = Rotation.from_quat([pose.quaternion for pose in poses]).as_euler('xyz', True)
        assert np.allclose(turns, [[0, 0, -30 if i > 8 else 0] for i in range(12)])
    # As TUM's motion capture has them: z of the frame is up, the camera looks along its y.
    x, y, z, w = Rotation.from_matrix([[1, 0, 0], [0, 0, 1], [0, -1, 0]]).as_quat()
    file.write_text(''.join(f'{0.1 * i:.6f} 0 {i} 1 {x} {y} {z} {w}\n' for i in range(12)))
    pose = read_folder(folder, f'tum:{file}:camera')[0].images[5][2]
    assert np.allclose(pose.position, [0, 5, 1])
    assert np.allclose(Rotation.from_quat(pose.quaternion).as_euler('xyz', True), [0, 0, 90])


def test_poses_of_a_robot_are_not_taken_for_a_camera_s(tmp_path):
    folder = touch(tmp_path / 'images', COUNTERS)
    file = tum(tmp_path / 'poses.txt', [f'{0.1 * i:.6f}' for i in range(12)])
    assert notes(folder, f'tum:{file}') == ['matched 12 of 12 images by order']
