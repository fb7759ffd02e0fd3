# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Clocks of cameras and poses, and poses that come rarely."""

import functools

import cv2
import numpy as np
import pytest
from recorded import drive, fixes, MS, N, odometry, T
from street import camera, S, STEP, write_recording
from tetra_vpr_ros.mapping import (
    BagError, build_map, BuildOptions, import_folder, MapError, PlaceMap)
from tetra_vpr_ros.mapping.tools.merge import merge
from tetra_vpr_ros.mapping.tools.reencode import reencode
from tetra_vpr_ros.nodes.build_map import main
from tetra_vpr_ros.vision import PlaceEncoder

POWER_ON = 12 * S - T  # such a camera counts the seconds since it has power


def test_a_camera_of_another_clock_is_refused_and_may_take_the_times_of_the_recording(
        built, images, tmp_path, tiny):
    events = [*camera(T, images, clock=POWER_ON), *odometry(drive())]
    with pytest.raises(BagError, match=(
            r'/camera/image_raw/compressed .*12\.000 to about 15\.9.* s, .*1700000000\.000 to '
            r'1700000004\.000 s, -1699999988\.\d+ s off.*--image-time received')):
        built(events)
    assert list(tmp_path.glob('m.vpr*')) == []
    path = tmp_path / 'm.vpr'
    report = build_map(BuildOptions(path, (tmp_path / 'run',), model=tiny,
                                    image_time='received'), progress=False)
    assert report.places == N
    with PlaceMap.open_file(path) as opened:  # as late as the images came
        before = opened.places()
    assert np.allclose(before.positions[:, 0], 0.6 + np.arange(N))
    reencode(path, tmp_path / 'again.vpr', PlaceEncoder(tiny), from_bags=True, progress=False)
    with PlaceMap.open_file(tmp_path / 'again.vpr') as opened:
        assert np.array_equal(opened.places().descriptors, before.descriptors)


def test_two_maps_of_a_bag_are_encoded_from_it(built, images, tmp_path, tiny):
    table, _ = built([*camera(T, images), *odometry(drive())])
    path, both = tmp_path / 'm.vpr', tmp_path / 'both.vpr'
    merge(path, path, both, progress=False)
    reencode(both, tmp_path / 'again.vpr', PlaceEncoder(tiny), from_bags=True, progress=False)
    with PlaceMap.open_file(tmp_path / 'again.vpr') as opened:
        assert np.array_equal(opened.places().descriptors, np.tile(table.descriptors, (2, 1)))
        assert opened.sessions()[1].source.endswith(' (again)')


def test_a_folder_of_images_is_no_bag(tmp_path, tiny):
    folder, poses = tmp_path / 'images', tmp_path / 'poses.txt'
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / f'{i}.png'), np.full((40, 60, 3), 60 * i, np.uint8))
    poses.write_text(''.join(f'{i} {i} 0 0 0 0 0 1\n' for i in range(3)))
    path = tmp_path / 'm.vpr'
    import_folder(folder, f'tum:{poses}', BuildOptions(path, model=tiny), progress=False)
    with pytest.raises(MapError, match='is not a bag: encode from the thumbnails'):
        reencode(path, path, PlaceEncoder(tiny), from_bags=True, progress=False)


def test_clocks_that_overlap_are_compared_too(built, images):
    with pytest.raises(BagError, match=r'-20\.0\d+ s off'):
        built([*camera(T + 25 * S, images, clock=-20 * S), *odometry(drive(until=30 * S))])


def test_a_camera_that_is_a_little_off_is_noted(built, images):
    _, report = built([*camera(T + S, images, clock=2 * S), *odometry(drive(until=9 * S))])
    assert '/camera/image_raw/compressed is dated +1.9 s from' in report.notes[0]


def test_the_times_of_the_recording_are_led_to_poses_of_another_clock(built, images):
    table, report = built([
        *camera(T, images, clock=POWER_ON),
        *((stamp, 'odometry', {'stamp': stamp - T + 5 * S, 'x': x, 'received': stamp})
          for stamp, x in drive())], image_time='received')
    assert np.allclose(table.positions[:, 0], 0.6 + np.arange(N))
    assert '-1699999995.000 s from the times of the recording' in report.notes[0]


def test_gps_once_a_second_is_interpolated(built, images):
    table, report = built([*camera(T, images), *fixes(drive(S))])
    assert len(table) == N
    assert np.allclose(table.positions[:, 0], np.arange(N), atol=0.01)
    assert report.without_pose == 0


def test_poses_that_are_too_rare_leave_no_map_in_the_way(
        built, images, tmp_path, tiny, capsys):
    events = [*camera(T + 100 * MS, images[:30]), *odometry(drive(4 * S))]
    with pytest.raises(MapError, match=(
            r'nothing was mapped of 30 frames: 30 frames without a pose: between two poses 4 s '
            r'apart.*--max-pose-gap\); the first: /camera/image_raw/compressed at 1700000000\.1')):
        built(events, max_pose_gap=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ['run']
    command = ['--bag', str(tmp_path / 'run'), '--map', str(tmp_path / 'm.vpr'), '--model',
               str(tiny), '--max-pose-gap']
    assert main([*command, '0.5']) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith('build_map: ')
    assert main([*command, '5']) == 0
    assert '30 new places' in capsys.readouterr().out


@pytest.mark.parametrize('workers', [1, 2])
def test_a_bag_of_which_nothing_is_mapped_does_not_block_the_others(
        images, tmp_path, tiny, workers):
    write_recording(tmp_path / 'run', [*camera(T, images), *odometry(drive())])
    write_recording(tmp_path / 'rare', [
        *camera(T + 100 * MS, images[:30]), *odometry(drive(4 * S))])
    options = functools.partial(BuildOptions, tmp_path / 'm.vpr', model=tiny)
    report = build_map(options((tmp_path / 'run', tmp_path / 'rare'), max_pose_gap=0.5,
                               workers=workers), progress=False)
    assert (report.failed, report.total_places) == (True, N)
    assert 'rare:/camera/image_raw/compressed: nothing was mapped' in report.empty[0]
    assert report.empty[0] in report.summary(tmp_path / 'm.vpr')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['m.vpr', 'rare', 'run']
    report = build_map(options((tmp_path / 'rare',), max_pose_gap=5.0, append=True),
                       progress=False)
    assert (report.places, report.total_places, report.failed) == (30, N + 30, False)


def test_a_build_that_fails_before_its_first_place_leaves_nothing(built, images, tmp_path):
    with pytest.raises(MapError, match='field of view'):
        built([*camera(T, images), *odometry(drive())], horizontal_fov=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ['run']


@pytest.mark.parametrize('clock', [0, -37 * S])
def test_the_clock_of_a_path_is_held_against_the_camera_s(built, images, clock):
    """A path holds all poses so far, and comes again and again."""
    events = [*camera(T, images), *((T + t, 'path', {'received': T + t, 'poses': [
        (stamp + clock, x) for stamp, x in drive() if stamp <= T + t]})
        for t in range(0, N * STEP, S))]
    if clock:
        with pytest.raises(BagError, match='is dated by another clock than the poses'):
            built(events, pose_topic='/trajectory')
    else:
        assert len(built(events, pose_topic='/trajectory')[0]) > 20
