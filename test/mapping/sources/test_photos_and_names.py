# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Photographs and names that say too little, or what cannot be."""

import numpy as np
from pictures import lacking, START_NS, touch
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational
import pytest
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping import MapError
from tetra_vpr_ros.mapping.sources.image_folder import read_folder

GPS = ExifTags.GPS
NONE = IFDRational(0, 0)


def photograph(path, north, **changes):
    """Write a photograph, a second of arc to the north for each step; None leaves a tag out."""
    tags = {'GPSLatitude': (47.0, 30.0, float(north)), 'GPSLatitudeRef': 'N',
            'GPSLongitude': (8.0, 15.0, 0.0), 'GPSLongitudeRef': 'E', 'GPSAltitude': 400.0 + north,
            'GPSImgDirection': 90.0, **changes}
    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = {GPS[name]: value for name, value in tags.items()
                                  if value is not None}
    exif[ExifTags.Base.DateTime] = f'2024:01:02 10:00:{north:02}'
    Image.new('RGB', (16, 12)).save(path, exif=exif)


def album(tmp_path, **changes):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for i in range(5):
        photograph(folder / f'IMG_{i}.jpg', i, **(changes if i == 2 else {}))
    return folder


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('changes', [
    {'GPSLatitude': (NONE, NONE, NONE)}, {'GPSLatitude': (0.0, 0.0, 0.0),
                                          'GPSLongitude': (0.0, 0.0, 0.0)},
    {'GPSLatitude': (91.0, 0.0, 0.0)}, {'GPSLatitudeRef': None}, {'GPSLongitudeRef': '?'},
    {'GPSLatitude': None}])
def test_a_photograph_without_a_position_spoils_no_other(tmp_path, changes):
    traverse, origin = read_folder(album(tmp_path, **changes), 'exif')
    poses = [pose for _, _, pose in traverse.images]
    assert [pose is None for pose in poses] == [False, False, True, False, False]
    assert np.allclose(poses[4].position, [0, 4 * 30.88, 4], atol=0.1)
    assert traverse.notes[0] == 'matched 4 of 5 images by EXIF'
    assert list(lacking(tmp_path / 'photos', 'exif')) == ['IMG_2.jpg']
    assert origin[0] == pytest.approx(47.5)


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('missing', [None, NONE, 0.0])
def test_an_altitude_that_is_missing_is_that_of_the_neighbours(tmp_path, missing):
    traverse, _ = read_folder(album(tmp_path, GPSAltitude=missing), 'exif')
    heights = [pose.position[2] for _, _, pose in traverse.images]
    assert np.allclose(heights, range(5), atol=0.01)
    assert any(note.startswith('1 photographs have no altitude') for note in traverse.notes)


@pytest.mark.filterwarnings('error')
def test_a_heading_of_nothing_by_nothing_is_none(tmp_path):
    traverse, _ = read_folder(album(tmp_path, GPSImgDirection=NONE), 'exif')
    yaw = [Rotation.from_quat(pose.quaternion).as_euler('xyz', degrees=True)[2]
           for _, _, pose in traverse.images]
    assert np.allclose(yaw, [0, 0, 90, 0, 0], atol=0.1)  # the way leads north
    assert any(note.startswith('1 photographs have no heading and look along the way')
               for note in traverse.notes)


@pytest.mark.filterwarnings('error')
def test_damaged_exif_spoils_no_other(tmp_path):
    folder = album(tmp_path)
    (folder / 'IMG_2.jpg').write_bytes(b'\xff\xd8\xff\xe1\x00\x10Exif\0\0MM\0*')
    traverse, _ = read_folder(folder, 'exif')
    assert [pose is None for _, _, pose in traverse.images] == [i == 2 for i in range(5)]


def names(*fields):
    """Return names at positions a metre apart; each of the fields is heading and stamp."""
    return [f'@{500000 + i}@5200000@32@T@47.1@8.2@p{i}@@{heading}@@@400@{stamp}@@.jpg'
            for i, (heading, stamp) in enumerate(fields)]


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('bad', [
    *(f'@{east}@5200000@@@@@@@0@@@@@@.jpg' for east in ('nan', 'inf', '', '1e300', '1e99999999')),
    'thumbnail.jpg'])
def test_a_name_without_a_position_spoils_no_other(tmp_path, bad):
    folder = touch(tmp_path / 'images', [*names((90, START_NS), (90, START_NS + 5)), bad])
    traverse, _ = read_folder(folder, 'utm')
    assert sum(pose is None for _, _, pose in traverse.images) == 1
    assert traverse.notes[0] == 'matched 2 of 3 images by name'
    assert list(lacking(folder, 'utm')) == [bad]


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('stamp, means', [
    (START_NS, START_NS), (f'{START_NS}.0', START_NS),
    (f'{START_NS / 1e9:.6f}', 1403636579763556000),
    (START_NS // 10**6, START_NS // 10**6 * 10**6), ('9' * 40, None), ('nan', None),
    ('201311', None), ('1e99', None), ('20131105', None), ('', None)])
def test_stamps_in_names(tmp_path, stamp, means):
    folder = touch(tmp_path / 'images', names((90, stamp)))
    (_, found, pose), = read_folder(folder, 'utm')[0].images
    assert found == (means or 0)
    assert pose is not None


@pytest.mark.parametrize('heading', ['', 'nan', 'none'])
def test_no_heading_is_made_up(tmp_path, heading):
    pitts = [f'@{585001 + i // 4:010.2f}@4476418.87@17@T@40.436@-79.996@{i // 4:06}@{i % 4}'
             f'@{heading}@1@@@@pitch1_yaw{i % 4}@.jpg' for i in range(8)]
    folder = touch(tmp_path / 'pitts', pitts)
    with pytest.raises(MapError, match='8 without a pose: there is no heading in its name'):
        read_folder(folder, 'utm')
    # One with a heading among them is used.
    touch(folder, ['@585009@4476418.87@17@T@@@000009@0@45@@@@@@.jpg'])
    traverse, _ = read_folder(folder, 'utm')
    assert sum(pose is not None for _, _, pose in traverse.images) == 1
    assert set(lacking(folder, 'utm')) == set(pitts)


def test_the_way_is_that_of_the_stamps(tmp_path):
    # By name they go east; they were taken on the way back, and the robot stood at first.
    folder = touch(tmp_path / 'images', names(
        ('', START_NS + 3), ('', START_NS + 2), ('', START_NS + 1)))
    traverse, _ = read_folder(folder, 'utm:way')
    yaw = [abs(Rotation.from_quat(pose.quaternion).as_euler('xyz', degrees=True)[2])
           for _, _, pose in traverse.images]
    assert np.allclose(yaw, 180)
    alone = touch(tmp_path / 'alone', names(('', '')))
    with pytest.raises(MapError, match='there is no way to look along'):
        read_folder(alone, 'utm:way')


def test_latitudes_that_are_none_are_left_out(tmp_path):
    folder = touch(tmp_path / 'images', ['@1@2@@@nan@8@@@0@@@@@@.jpg', '@2@2@@@0@0@@@0@@@@@@.jpg',
                                         '@3@2@@@99@8@@@0@@@@@@.jpg', '@4@2@@@47@8@@@0@@@@@@.jpg'])
    assert [pose.geodetic for _, _, pose in read_folder(folder, 'utm')[0].images] == [
        None, None, None, (47, 8, 0)]
