# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""COLMAP's ``images.txt`` as it and other programs write it, and which file a name means."""

from pictures import lacking, touch, xs
import pytest
from tetra_vpr_ros.mapping import MapError
from tetra_vpr_ros.mapping.sources.image_folder import read_folder

NAMES = [f'{i:04}.png' for i in range(4)]
POINTS = '1391.5 207.25 -1 640 512 1733 12 13.5 9 100 200 300'


def line(i, x, name):
    """Return the line of an image whose camera stands at x, and looks along z."""
    return f'{i} 1 0 0 0 {-x} 0 0 1 {name}'


def model(path, lines):
    path.mkdir(exist_ok=True)
    (path / 'images.txt').write_bytes('\n'.join(lines).encode())
    return f'colmap:{path}'


HEADER = ['# Image list with two lines of data per image:', '#   POINTS2D[] as (X, Y, POINT3D_ID)']


@pytest.mark.parametrize('second', [[POINTS], [''], ['   '], [], [POINTS, '']])
@pytest.mark.parametrize('header', [HEADER, [*HEADER, '', ''], []])
@pytest.mark.parametrize('end', ['', '\r', '   ', ' \t\r'])
@pytest.mark.parametrize('mark', ['', '\ufeff'])
def test_second_lines_and_ends_of_lines(tmp_path, second, header, end, mark):
    folder = touch(tmp_path / 'images', NAMES)
    lines = header + [text for i, name in enumerate(NAMES)
                      for text in [line(i + 1, 10 + i, name), *second]]
    lines = [text + end for text in lines]
    lines[0] = mark + lines[0]
    assert xs(folder, model(tmp_path / 'model', lines)) == [10, 11, 12, 13]


def rig(tmp_path, where='images', cameras=('cam0', 'cam1')):
    touch(tmp_path / where, [f'{camera}/{name}' for camera in cameras for name in NAMES])
    return model(tmp_path / 'model', [text for k in (0, 1) for i, name in enumerate(NAMES)
                                      for text in (line(4 * k + i, 10 * k + i, f'cam{k}/{name}'),
                                                   POINTS)])


def test_one_camera_of_a_rig_has_its_own_poses(tmp_path):
    spec = rig(tmp_path)
    assert xs(tmp_path / 'images' / 'cam0', spec) == [0, 1, 2, 3]
    assert xs(tmp_path / 'images' / 'cam1', spec) == [10, 11, 12, 13]
    assert xs(tmp_path / 'images', spec) == [0, 1, 2, 3, 10, 11, 12, 13]
    (tmp_path / 'model' / 'images').symlink_to(tmp_path / 'images')
    assert xs(tmp_path / 'model', spec) == [0, 1, 2, 3, 10, 11, 12, 13]


def test_a_camera_that_the_model_calls_otherwise_is_refused(tmp_path):
    spec = rig(tmp_path, cameras=('left', 'right'))
    with pytest.raises(MapError, match=r"'cam0' \(4 images\), 'cam1' \(4 images\), and .*left is "
                       'called like none of them'):
        read_folder(tmp_path / 'images' / 'left', spec)


def test_a_frame_of_which_only_the_other_camera_is_registered_has_no_pose(tmp_path):
    folder = touch(tmp_path / 'images' / 'cam0', NAMES)
    spec = model(tmp_path / 'model', [line(1, 0, 'cam0/0000.png'), '',
                                      line(2, 99, 'cam1/0001.png'), ''])
    assert xs(folder, spec) == [0, None, None, None]


def test_one_name_for_two_cameras_is_refused(tmp_path):
    rig(tmp_path)
    spec = model(tmp_path / 'flat', [line(i, i, name) for i, name in enumerate(NAMES)])
    with pytest.raises(MapError, match="one name there fits two images of .*'cam0' and 'cam1'"):
        read_folder(tmp_path / 'images', spec)


@pytest.mark.parametrize('prefix', ['', '/home/somebody/run/', 'C:\\data\\run\\', 'a b/'])
def test_paths_of_other_machines(tmp_path, prefix):
    folder = touch(tmp_path / 'mine', ['my run 1.png', 'sub/0.png'])
    parted = '\\' if '\\' in prefix else '/'
    spec = model(tmp_path / 'model', [line(1, 5, f'{prefix}my run 1.png'), POINTS,
                                      line(2, 6, f'{prefix}sub{parted}0.png'), POINTS])
    assert xs(folder, spec) == [5, 6]


@pytest.mark.filterwarnings('error')
def test_bad_lines_are_counted_and_spoil_no_other(tmp_path):
    folder = touch(tmp_path / 'images', NAMES)
    spec = model(tmp_path / 'model', [
        line(1, 1, NAMES[0]), '', line(2, float('nan'), NAMES[1]), POINTS,
        f'3 0 0 0 0 1 1 1 1 {NAMES[2]}', '', 'nonsense', line(4, 4, NAMES[3]), POINTS])
    traverse = read_folder(folder, spec)[0]
    assert xs(folder, spec) == [1, None, None, 4]
    assert traverse.notes[0] == 'matched 2 of 4 images by path'
    assert any(note.startswith('3 lines are no image of a COLMAP') and 'line 3' in note
               for note in traverse.notes)
    assert list(lacking(folder, spec)) == NAMES[1:3]


def test_a_model_of_other_images_is_refused_with_both_names(tmp_path):
    folder = touch(tmp_path / 'images', ['0.jpg'])  # made of 0.png
    with pytest.raises(MapError, match="it has '0.png', the folder '0.jpg'"):
        read_folder(folder, model(tmp_path / 'model', [line(1, 0, '0.png')]))


def test_what_reality_scan_writes(tmp_path):
    name = 'A-DJI_20241016110001_0002_V_map-plan-670f-wp-2 (402).jpg'
    folder = touch(tmp_path / 'images', [name])
    spec = model(tmp_path / 'model', [
        *HEADER, '# Number of images: 402', f'1 1.0 8.6e-018 0 0 -7.25 3.6e-001 71.6 2 {name}',
        '775.2605 1029.3264 8574 1183.3278 971.7265 8770 1119.2882 947.8551 11922 '])
    assert xs(folder, spec) == [7.25]
