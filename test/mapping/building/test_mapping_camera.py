# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A map remembers how much its camera saw."""

import functools
import math

from bag_factory import BagFactory
import cv2
import pytest
from tetra_vpr_ros.mapping import build_map, BuildOptions, import_folder, PlaceMap
from tetra_vpr_ros.mapping.tools.merge import merge
from tetra_vpr_ros.mapping.tools.prune import prune
from tetra_vpr_ros.mapping.tools.reencode import reencode
from tetra_vpr_ros.vision import PlaceEncoder


@pytest.fixture
def record(street, tmp_path):
    """Write a part of the street, of pictures of 144 x 108, whose focal lengths are given."""
    def recording(name, focal_lengths=(), storage='mcap', first=0):
        with BagFactory(tmp_path / name, storage) as bag:
            for stamp, x, image in street[first:first + 12]:
                bag.odometry(stamp, x)
                bag.jpeg(stamp, image, topic='/camera/image_raw/compressed')
                for focal in focal_lengths:
                    bag.camera_info(stamp, 144, 108, focal)
        return tmp_path / name

    return recording


@pytest.fixture
def build(tiny, tmp_path):
    def building(*bags, name='m.vpr', **options):
        path = tmp_path / name
        report = build_map(BuildOptions(path, bags, model=tiny, **options), progress=False)
        return path, report

    return building


def camera(path):
    with PlaceMap.open_file(path) as opened:
        return opened.camera


def of_camera(report):
    return [note for note in report.notes if 'its camera sees' in note]


@pytest.mark.parametrize('storage, name', [('mcap', 'a'), ('sqlite3', 'b'), ('ros1', 'c.bag')])
def test_it_is_read_of_the_bag(record, build, storage, name):
    found = camera(build(record(name, [72.0], storage))[0])
    assert (found.width, found.height) == (144, 108)
    assert math.degrees(found.horizontal_fov) == pytest.approx(90)


def test_of_rectified_pictures_that_are_binned(street, build, tmp_path):
    with BagFactory(tmp_path / 'rectified') as bag:
        for stamp, x, image in street[:6]:
            bag.odometry(stamp, x)
            bag.jpeg(stamp, image, topic='/camera/image_rect/compressed')
            bag.camera_info(stamp, 288, 216, 100.0, model='equidistant', rectified=144.0)
    found = camera(build(tmp_path / 'rectified')[0])
    assert (found.width, found.height, found.projection) == (144, 108, 'pinhole')
    assert math.degrees(found.horizontal_fov) == pytest.approx(90)


def test_a_driver_that_is_not_calibrated_tells_nothing(record, build):
    assert camera(build(record('zeros', [0.0]))[0]) is None
    assert camera(build(record('late', [0.0, 72.0]), name='late.vpr')[0]) is not None
    assert camera(build(record('silent'), name='silent.vpr')[0]) is None


def test_what_a_person_says_goes_first(record, build, street, tiny, tmp_path):
    for name, focal_lengths in (('told', [72.0]), ('silent', [])):
        path, report = build(record(name, focal_lengths), name=f'{name}.vpr', horizontal_fov=60)
        found = camera(path)
        assert (found.width, found.height) == (144, 108)
        assert math.degrees(found.horizontal_fov) == pytest.approx(60)
        assert not report.notes
    (tmp_path / 'folder').mkdir()
    for i, (_, x, image) in enumerate(street[:4]):
        cv2.imwrite(str(tmp_path / 'folder' / f'@{x}@0.0@{i}.png'), image)
    import_folder(tmp_path / 'folder', 'utm:way', BuildOptions(
        tmp_path / 'f.vpr', model=tiny, keyframe_distance=0.0, horizontal_fov=60.0),
        progress=False)
    assert camera(tmp_path / 'f.vpr') == found


def test_another_camera_is_noted_and_the_first_is_kept(record, build):
    path, _ = build(record('first', [72.0]))
    _, report = build(record('alike', [73.0], first=12), append=True)
    assert not of_camera(report)
    _, report = build(record('wide', [40.0], first=24), append=True)
    noted, = of_camera(report)
    assert 'its camera sees 121.9°' in noted
    assert math.degrees(camera(path).horizontal_fov) == pytest.approx(90)


def test_several_processes_and_the_tools_keep_it(record, build, tiny, tmp_path):
    bags = record('one', [72.0]), record('two', [72.0], first=12)
    path, report = build(*bags, workers=2)
    assert report.places
    kept = camera(path)
    assert kept is not None
    other, _ = build(record('three', first=24), name='other.vpr')
    out = tmp_path / 'out.vpr'
    for tool in (functools.partial(prune, path, out, 1.0),
                 functools.partial(merge, path, other, out),
                 functools.partial(reencode, path, out, PlaceEncoder(tiny))):
        tool(progress=False)
        assert camera(out) == kept
        out.unlink()


def test_merging_says_that_the_other_camera_sees_another_part(record, build, tmp_path):
    wide, _ = build(record('wide', [40.0]), name='wide.vpr')
    path, _ = build(record('one', [72.0], first=12))
    bare, _ = build(record('bare', first=24), name='bare.vpr')
    out, notes = tmp_path / 'out.vpr', []
    merge(path, wide, out, progress=False, notes=notes)
    assert notes == [f'{wide}: its camera sees {camera(wide)}, that of the map {camera(path)}; '
                     'the map keeps its own']
    notes.clear()
    out.unlink()
    merge(bare, wide, out, progress=False, notes=notes)
    assert not notes
    assert camera(out) == camera(wide)
