# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
from PIL import ExifTags, Image
import pytest
from sample_data import ROOT
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping import BagError, BuildOptions, import_folder, MapError, PlaceMap
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.mapping.sources.image_folder import read_folder
from tetra_vpr_ros.mapping.tools.export import export
from tetra_vpr_ros.nodes.vpr_map import main

S = 1_000_000_000
# A camera at (1, 2, 3) that looks along the world's y axis, x of the image to the world's x.
CENTRE = np.array([1.0, 2.0, 3.0])
LOOKS_ALONG_Y = Rotation.from_matrix(np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]))


@pytest.fixture
def folder(tmp_path, street):
    """Return a folder of images, and their poses."""
    path = tmp_path / 'images'
    path.mkdir()
    for i in range(12):  # '10' comes after '9', not after '1'
        cv2.imwrite(str(path / f'view{i}.jpg'), street[5 * i][2][:, :, ::-1])
    return path


def poses_of(folder, spec):
    return [pose for _, _, pose in read_folder(folder, spec)[0].images]


def test_what_was_exported_comes_back(map_file, tmp_path):
    with PlaceMap.open_file(map_file) as opened:
        before = opened.places()
        export(opened, 'utm', tmp_path / 'folder')
    report = import_folder(tmp_path / 'folder', 'utm', BuildOptions(tmp_path / 'again.vpr'),
                           progress=False)
    with PlaceMap.open_file(tmp_path / 'again.vpr') as opened:
        after = opened.places()
        assert opened.sessions()[0].complete
    assert report.total_places == len(after) == len(before)
    order = np.argsort(after.stamps)
    assert np.array_equal(after.stamps[order], before.stamps)
    assert np.allclose(after.positions[order], before.positions, atol=1e-3)
    assert (np.abs((after.quaternions[order] * before.quaternions).sum(1)) > 0.999).all()
    flipped = np.unpackbits(after.descriptors[order] ^ before.descriptors, axis=1).mean(axis=1)
    assert np.median(flipped) < 0.08  # thumbnails, not the pictures themselves
    assert report.calibration is not None


def test_names_of_other_tools_without_stamp_and_heading(tmp_path, picture):
    folder = tmp_path / 'other'
    folder.mkdir()
    for i in range(4):
        name = f'@{500000 + 2 * i:.2f}@{5200000 + 2 * i:.2f}@32@T@47.1@8.2@p{i}@@@@@@201311@@.jpg'
        cv2.imwrite(str(folder / name), picture)
    with pytest.raises(MapError, match=r'4 without a pose: there is no heading .*utm:way'):
        read_folder(folder, 'utm')
    images = read_folder(folder, 'utm:way')[0].images
    assert [stamp for _, stamp, _ in images] == [0, S, 2 * S, 3 * S]
    assert images[1][2].geodetic == (47.1, 8.2, 0.0)
    yaw = [Rotation.from_quat(pose.quaternion).as_euler('xyz')[2] for _, _, pose in images]
    assert np.allclose(yaw, np.pi / 4)  # the way driven
    (folder / 'plain.jpg').write_bytes(b'')
    traverse = read_folder(folder, 'utm:way')[0]
    assert [pose is None for _, _, pose in traverse.images] == [False] * 4 + [True]
    assert traverse.missing == {
        folder / 'plain.jpg': 'its name holds no @utm_east@utm_north@'}


def test_tum_by_number_and_by_stamp(folder, tmp_path, picture):
    file = tmp_path / 'poses.txt'
    file.write_text('# stamp x y z\n' + ''.join(
        f'{1000 + i} {i} 0 0 0 0 0 1\n' for i in range(12)))
    images = read_folder(folder, f'tum:{file}')[0].images
    assert [path.name for path, _, _ in images] == [f'view{i}.jpg' for i in range(12)]
    assert [stamp for _, stamp, _ in images] == [(1000 + i) * S for i in range(12)]
    assert images[7][2].position[0] == 7
    stamped = tmp_path / 'stamped'
    stamped.mkdir()
    for stamp in ('1000.25', '1001.0', '1500.0'):
        cv2.imwrite(str(stamped / f'{stamp}.png'), picture)
    file.write_text(''.join(f'{1000 + i / 4} {i} 0 0 0 0 0 1\n' for i in range(12)))
    found = poses_of(stamped, f'tum:{file}')
    assert [None if pose is None else pose.position[0] for pose in found] == [1, 4, None]


def test_kitti_is_turned_to_x_forward(folder, tmp_path):
    file = tmp_path / '00.txt'
    turn = Rotation.from_euler('y', 90, degrees=True).as_matrix()  # the camera turns right
    rows = [np.hstack([turn if i else np.eye(3), [[0.0], [-1.0], [2.0 * i]]]).ravel()
            for i in range(12)]
    file.write_text('\n'.join(' '.join(map(str, row)) for row in rows))
    found = poses_of(folder, f'kitti:{file}')
    assert np.allclose([pose.position for pose in found], [[2.0 * i, 0, 1] for i in range(12)])
    assert np.allclose(found[0].quaternion, [0, 0, 0, 1])
    assert np.allclose(Rotation.from_quat(found[1].quaternion).as_euler('xyz', degrees=True),
                       [0, 0, -90])


def test_colmap(folder, tmp_path, tiny):
    model = tmp_path / 'model'
    model.mkdir()
    inverse = LOOKS_ALONG_Y.inv()
    x, y, z, w = inverse.as_quat()
    shift = -inverse.apply(CENTRE)
    lines = ['# Image list with two lines of data per image:']
    for i in (3, 1, 11):
        lines += [' '.join(map(str, [i, w, x, y, z, *shift, 1, f'view{i}.jpg'])), '']
    (model / 'images.txt').write_text('\n'.join(lines))
    found = poses_of(folder, f'colmap:{model}')
    assert [i for i, pose in enumerate(found) if pose is not None] == [1, 3, 11]
    assert np.allclose(found[3].position, CENTRE)
    forward = Rotation.from_quat(found[3].quaternion).apply([[1, 0, 0], [0, 0, 1]])
    assert np.allclose(forward, [[0, 1, 0], [0, 0, 1]])
    report = import_folder(folder, f'colmap:{model}', BuildOptions(
        tmp_path / 'm.vpr', model=tiny, keyframe_distance=0.0), progress=False)
    assert (report.places, report.without_pose) == (3, 9)


def write_fix(path, latitude, longitude, heading=None):
    with Image.open(path) as picture:
        exif = picture.getexif()
        gps, tags = exif.get_ifd(ExifTags.IFD.GPSInfo), ExifTags.GPS
        for value, tag, ref, letters in (
                (latitude, tags.GPSLatitude, tags.GPSLatitudeRef, 'NS'),
                (longitude, tags.GPSLongitude, tags.GPSLongitudeRef, 'EW')):
            whole = int(abs(value))
            minutes = (abs(value) - whole) * 60
            gps[tag] = (whole, int(minutes), (minutes - int(minutes)) * 60)
            gps[ref] = letters[value < 0]
        gps[tags.GPSAltitude] = 400.0
        if heading is not None:
            gps[tags.GPSImgDirection] = heading
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = '2026:05:01 12:00:00'
        picture.save(path, exif=exif, quality=95)


def test_gps_in_exif(folder, tmp_path, tiny):
    for i in range(11):  # the last has none
        write_fix(folder / f'view{i}.jpg', -33.0 + 1e-4 * i, -70.5, heading=90.0 if i else None)
    traverse, origin = read_folder(folder, 'exif')
    assert np.allclose(origin, [-33.0, -70.5, 400])
    poses = [pose for _, _, pose in traverse.images]
    assert poses[11] is None
    assert np.allclose(poses[10].position[:2], [0, 110.9], atol=0.5)  # metres to the north
    assert np.allclose(poses[10].quaternion, [0, 0, 0, 1], atol=1e-6)  # looks east
    assert traverse.images[0][1] == 1777636800 * S
    report = import_folder(folder, 'exif', BuildOptions(tmp_path / 'm.vpr', model=tiny),
                           progress=False)
    assert report.places == 11
    with PlaceMap.open_file(tmp_path / 'm.vpr') as opened:
        assert np.allclose(opened.places().geodetic[10], [-32.999, -70.5, 400])
        assert np.allclose(opened.meta()['geodetic_origin'], origin)


def test_positions_of_gps_and_others_make_no_map_together(folder, tmp_path, tiny):
    for i in range(12):
        write_fix(folder / f'view{i}.jpg', -33.0 + 1e-4 * i, -70.5, heading=90.0)
    file = tmp_path / 'poses.txt'
    file.write_text(''.join(f'{i} {i} 0 0 0 0 0 1\n' for i in range(12)))
    other = shutil.copytree(folder, tmp_path / 'others')

    def imported(pictures, poses, name, append=False):
        return import_folder(pictures, poses, BuildOptions(
            tmp_path / name, model=tiny, append=append), progress=False)

    imported(folder, f'tum:{file}', 'odometry.vpr')
    with pytest.raises(BagError, match='others has GPS poses, but the places of .*odometry.vpr'):
        imported(other, 'exif', 'odometry.vpr', append=True)
    with PlaceMap.open_file(tmp_path / 'odometry.vpr') as opened:
        assert opened.geodetic_origin is None
        assert len(opened) == 12
    imported(folder, 'exif', 'gps.vpr')
    notes = imported(other, f'tum:{file}', 'gps.vpr', append=True).notes
    assert any('its poses are not of GPS, and the map is in a frame of GPS' in note
               for note in notes)


def test_an_interrupted_import_continues(folder, tmp_path, tiny, monkeypatch):
    file = tmp_path / 'poses.txt'
    file.write_text(''.join(f'{i} {i} 0 0 0 0 0 1\n' for i in range(12)))
    options = BuildOptions(tmp_path / 'm.vpr', model=tiny, resume=True)
    at = Pose.distance_to

    def interrupt(self, other):
        if self.position[0] == 9:
            raise KeyboardInterrupt
        return at(self, other)

    with monkeypatch.context() as patch:
        patch.setattr(Pose, 'distance_to', interrupt)
        assert import_folder(folder, f'tum:{file}', options, progress=False).interrupted
    assert import_folder(folder, f'tum:{file}', options, progress=False).total_places == 12
    with PlaceMap.open_file(tmp_path / 'm.vpr') as opened:
        assert opened.places().positions[:, 0].tolist() == list(range(12))
    with pytest.raises(MapError, match='already holds'):
        import_folder(folder, f'tum:{file}', BuildOptions(
            tmp_path / 'm.vpr', model=tiny, append=True), progress=False)


@pytest.mark.parametrize('spec, text, says', [
    ('utm', '', 'the name holds no @utm_east'),
    ('gps', '', "no poses 'gps': use one of utm, utm:way, tum:FILE"),
    ('tum:FILE', '1 2 3\n', 'is no TUM trajectory: 8 numbers a line'),
    ('tum:FILE', '1 0 0 0 0 0 0 1\n', 'has 1 poses for 12 images'),
    ('tum:FILE', 'a b c d e f g h\n', 'is no TUM trajectory'),
    ('tum:FILE', ''.join(f'{i} 0 0 0 0 0 0 0\n' for i in range(12)), 'zero quaternion'),
    ('kitti:FILE', '1 0 0 4 0 1 0 8 0 0 1 12\n', 'has 1 poses'),
    ('kitti:FILE', '1 2 3 4 5 6 7 8 9 10 11 12\n', 'no line holds a pose'),
    ('kitti:none.txt', '', 'no such file of poses'),
    ('colmap:FILE', '1 nonsense\n', 'is no COLMAP images.txt'),
    ('colmap:none', '', 'no COLMAP text model'),
    ('exif', '', 'no image has a pose')])
def test_what_does_not_fit_is_named(folder, tmp_path, spec, text, says):
    file = tmp_path / 'poses.txt'
    file.write_text(text)
    with pytest.raises(MapError, match=says):
        read_folder(folder, spec.replace('FILE', str(file)))


def test_folders_without_images(tmp_path):
    with pytest.raises(MapError, match='no such folder'):
        read_folder(tmp_path / 'none', 'utm')
    with pytest.raises(MapError, match='holds no image'):
        read_folder(tmp_path, 'utm')


def test_the_command_says_what_was_matched_and_what_was_not(folder, tmp_path, tiny, capsys):
    file = tmp_path / 'poses.csv'
    file.write_text('name,x,y,yaw\n' + ''.join(
        f'view{i}.jpg,{i},0,{"nan" if i == 3 else 0}\n' for i in range(11)))
    (folder / 'view5.jpg').write_bytes((folder / 'view5.jpg').read_bytes()[:900])
    output = tmp_path / 'm.vpr'
    command = ['import', str(folder), '--map', str(output), '--model', str(tiny), '--poses']
    assert main([*command, f'csv:{file}']) == 0
    told = capsys.readouterr().out
    for part in ('12 frames: 9 new places', 'matched 10 of 12 images by path',
                 f'1 frames without a pose: {file} does not name it; the first: '
                 f"{folder / 'view11.jpg'}", 'its line holds no pose', 'is truncated (900 bytes)',
                 "poses.csv, line 5: 'view3.jpg 3 0 nan'"):
        assert part in told, told
    output.unlink()
    assert main([*command, f'tum:{file}']) == 1
    assert 'is no TUM trajectory' in capsys.readouterr().err
    for path in folder.iterdir():
        path.write_bytes(b'')
    assert main([*command, f'csv:{file}']) == 1
    assert 'the compressed image is empty' in capsys.readouterr().err
    assert not output.exists()


def test_a_name_that_is_no_text_is_told_all_the_same(folder, tmp_path, tiny):
    # As unpacked from an archive of another system; its output is strictly UTF-8.
    (folder / os.fsdecode(b'stra\xdfe.jpg')).write_bytes((folder / 'view0.jpg').read_bytes())
    poses = tmp_path / 'poses.csv'
    poses.write_text('name,x,y,yaw\n' + ''.join(f'view{i}.jpg,{i},0,0\n' for i in range(12)))
    done = subprocess.run(
        [sys.executable, '-m', 'tetra_vpr_ros.nodes.vpr_map', 'import', str(folder), '--map',
         str(tmp_path / 'm.vpr'), '--model', str(tiny), '--poses', f'csv:{poses}'],
        env={**os.environ, 'PYTHONIOENCODING': 'utf-8:strict'}, cwd=ROOT, capture_output=True,
        text=True)
    assert (done.returncode, 'Traceback' in done.stderr) == (0, False), done.stderr
    assert f"{poses} does not name it; the first: {folder / 'stra'}\\udcdfe.jpg" in done.stdout


def test_depths_beside_the_pictures_are_no_places(folder, tmp_path):
    for i in range(12):
        cv2.imwrite(str(folder / f'view{i}.depth.png'), np.full((8, 8), 1000 * i, np.uint16))
    file = tmp_path / 'poses.txt'
    file.write_text(''.join(f'{i} {i} 0 0 0 0 0 1\n' for i in range(12)))
    traverse = read_folder(folder, f'tum:{file}')[0]
    assert [path.name for path, _, _ in traverse.images] == [f'view{i}.jpg' for i in range(12)]
    assert traverse.notes[1].startswith('12 files are left out as depths')
    for path in folder.glob('*.jpg'):
        path.unlink()
    assert len(read_folder(folder, f'tum:{file}')[0].images) == 12  # of a thermal camera
