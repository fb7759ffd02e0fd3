# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import functools
import itertools
import shutil
import threading

from bag_factory import BagFactory
import cv2
import numpy as np
import pytest
from street import write_street
from tetra_vpr_ros.mapping import (
    BagError, build_map, BuildOptions, Calibration, MapError, ModelMismatchError, PlaceMap, Pose)
from tetra_vpr_ros.mapping.building import writer
from tetra_vpr_ros.mapping.building.report import BuildReport
from tetra_vpr_ros.mapping.pose import level_quaternion
from tetra_vpr_ros.mapping.sources.traverse import Frame
from tetra_vpr_ros.simulation.bag import write_bag
from tetra_vpr_ros.vision import ModelError, PlaceEncoder

S = 1_000_000_000
T = 1_700_000_000 * S


def contents(path):
    """Return all that a map holds, but for when it was made."""
    with PlaceMap.open_file(path) as opened:
        meta = {k: v for k, v in opened.meta().items() if k != 'created'}
        rows = [opened._db.read(f'SELECT * FROM {name} ORDER BY 1')
                for name in ('session', 'place', 'thumbnail')]
    return meta, rows


@pytest.fixture
def recipe(tiny):
    """Return how to build with the tiny model, for what has nothing to do with recognition."""
    return functools.partial(BuildOptions, model=tiny)


def test_places_have_the_poses_of_their_frames(bag, drive, map_file, encoder):
    by_stamp = {stamp: (pose, image) for stamp, pose, image in drive}
    with PlaceMap.open_file(map_file) as opened:
        table = opened.places()
        assert 40 < len(table) < 120
        for stamp, position in zip(table.stamps, table.positions):
            pose, _ = by_stamp[int(stamp)]
            assert np.allclose(position[:2], [pose.x, pose.y])
        for stamp, descriptor in zip(table.stamps[::4], table.descriptors[::4]):
            flipped = np.unpackbits(encoder.encode(by_stamp[int(stamp)][1]) ^ descriptor).mean()
            assert flipped < 0.1  # the bag's JPEG, not the image itself
        steps = np.linalg.norm(np.diff(table.positions, axis=0), axis=1)
        assert steps.max() < 0.75
        calibration = Calibration.from_meta(opened.meta()['calibration'])
        assert calibration.samples == len(table)
        picture = cv2.imdecode(np.frombuffer(opened.thumbnail(1), np.uint8), 1)
        assert picture.shape == (240, 320, 3)
        assert opened.sessions()[0].complete


def test_building_twice_gives_the_same_map(drive, tmp_path):
    write_bag(tmp_path / 'run', drive[:50])
    for name in ('one.vpr', 'two.vpr'):
        build_map(BuildOptions(bags=(tmp_path / 'run',), output=tmp_path / name), progress=False)
    assert contents(tmp_path / 'one.vpr') == contents(tmp_path / 'two.vpr')


def test_keyframe_options_and_no_thumbnails(street_bag, tmp_path, street_map, recipe):
    report = build_map(recipe(bags=(street_bag,), output=tmp_path / 'thin.vpr', thumbnails=False,
                              keyframe_distance=2.0, keyframe_angle=90.0), progress=False)
    with PlaceMap.open_file(tmp_path / 'thin.vpr') as opened:
        assert len(opened) == report.places == report.total_places < 30
        assert opened.thumbnail(1) is None
    assert report.frames == 200
    assert report.not_keyframes == 200 - report.places
    assert 'new places' in report.summary(tmp_path / 'thin.vpr')
    assert 'calibrated on' in report.summary(tmp_path / 'thin.vpr')


def test_frames_without_a_pose_and_broken_pictures_are_counted_not_guessed(
        tmp_path, street, recipe):
    with BagFactory(tmp_path / 'run') as bag:
        for i in range(20):
            bag.jpeg(T + i * S, street[i][2], data=b'broken' if i == 12 else None)
        for i in (*range(5, 8), *range(10, 16)):  # a gap from 7 to 10
            bag.odometry(T + i * S, float(i))
    report = build_map(recipe(bags=(tmp_path / 'run',), output=tmp_path / 'm.vpr',
                              max_pose_gap=1.5), progress=False)
    assert (report.frames, report.without_pose, report.undecodable) == (20, 11, 1)
    with PlaceMap.open_file(tmp_path / 'm.vpr') as opened:
        assert [int(s - T) // S for s in opened.places().stamps] == [5, 6, 7, 10, 11, 13, 14, 15]


def test_pictures_that_show_nothing_are_mapped_and_told(tmp_path, street, recipe):
    with BagFactory(tmp_path / 'run') as bag:
        for i in range(6):
            bag.odometry(T + i * S, float(i))
            deep = street[i][2][:, :, 1].astype(np.uint16) * (257 if i < 2 else 14)
            bag.image(T + i * S, deep, encoding='mono16')
    report = build_map(recipe(bags=(tmp_path / 'run',), output=tmp_path / 'm.vpr'),
                       progress=False)
    assert report.places == 6
    told = [line for line in report.details() if 'show hardly anything' in line]
    assert len(told) == 1
    assert told[0].startswith('  4 places whose pictures show hardly anything')
    assert told[0].endswith('at 1700000002.000 s')


def test_a_broken_keyframe_is_replaced_by_the_next_frame(tmp_path, street, recipe):
    with BagFactory(tmp_path / 'run') as bag:
        for i in range(8):
            bag.odometry(T + i * S, 0.3 * i)
            bag.jpeg(T + i * S, street[i][2], data=b'broken' if i == 2 else None)
    build_map(recipe(bags=(tmp_path / 'run',), output=tmp_path / 'm.vpr',
                     max_pose_gap=2.0), progress=False)
    with PlaceMap.open_file(tmp_path / 'm.vpr') as opened:
        assert [int(s - T) // S for s in opened.places().stamps] == [0, 3, 5, 7]


def test_append_adds_traverses_and_refuses_what_does_not_fit(street, street_map, tmp_path, recipe):
    grown = tmp_path / 'grown.vpr'
    shutil.copy(street_map, grown)
    write_street(tmp_path / 'second', street[:80], 'sqlite3')
    options = recipe(bags=(tmp_path / 'second',), output=grown, append=True)
    report = build_map(options, progress=False)
    with PlaceMap.open_file(grown) as opened:
        assert len(opened.sessions()) == 2
        assert report.total_places == len(opened)
        assert set(opened.places().sessions) == {1, 2}
    with pytest.raises(MapError, match='already holds'):
        build_map(options, progress=False)
    with pytest.raises(MapError, match="frame 'map', not 'odom'"):
        build_map(dataclasses.replace(options, frame_id='odom'), progress=False)
    with pytest.raises(MapError, match='no map file'):
        build_map(dataclasses.replace(options, output=tmp_path / 'none.vpr'), progress=False)


def test_an_existing_map_is_not_touched_without_append_or_resume(street_bag, street_map, recipe):
    before = street_map.read_bytes()
    with pytest.raises(MapError, match='exists.*--resume or --append'):
        build_map(recipe(bags=(street_bag,), output=street_map), progress=False)
    assert street_map.read_bytes() == before


def test_another_model_cannot_extend_a_map(street_bag, street_map, tmp_path, recipe):
    grown = tmp_path / 'grown.vpr'
    shutil.copy(street_map, grown)
    with PlaceMap.open_file(grown, writable=True) as opened:
        opened.set_meta(model_fingerprint='f' * 64, model_name='old')
    with pytest.raises(ModelMismatchError, match='model old'):
        build_map(recipe(bags=(street_bag,), output=grown, append=True), progress=False)


@pytest.fixture
def interrupt_after(monkeypatch):
    """Press Ctrl-C when the n-th batch is to be stored."""
    store = writer.PlaceWriter.store

    def arm(batches):
        left = [batches]

        def storing(*args):
            if left[0] == 0:
                left[0] = -1
                raise KeyboardInterrupt
            left[0] -= 1
            return store(*args)

        monkeypatch.setattr(writer.PlaceWriter, 'store', storing)

    return arm


@pytest.mark.parametrize('batches', [0, 1, 4])
def test_ctrl_c_keeps_what_was_built_and_resume_gives_the_same_map(
        street_bag, street_map, tmp_path, interrupt_after, monkeypatch, batches, recipe):
    path = tmp_path / 'm.vpr'
    options = recipe(bags=(street_bag,), output=path, threads=2)
    interrupt_after(batches)
    report = build_map(options, progress=False)
    assert report.interrupted
    assert '--resume' in report.summary(path)
    with PlaceMap.open_file(path) as opened:
        assert len(opened) >= batches * 8
        assert not opened.sessions()[0].complete
    monkeypatch.undo()
    with pytest.raises(MapError, match='finish it with --resume'):
        build_map(dataclasses.replace(options, append=True), progress=False)
    with pytest.raises(MapError, match='begun with'):
        build_map(dataclasses.replace(options, resume=True, keyframe_distance=9.0),
                  progress=False)
    build_map(dataclasses.replace(options, resume=True), progress=False)
    assert contents(path) == contents(street_map)
    again = build_map(dataclasses.replace(options, resume=True), progress=False)
    assert again.frames == 0
    assert contents(path) == contents(street_map)


def test_what_was_encoded_before_a_model_failed_is_kept_and_the_rest_resumed(
        street_bag, street_map, tmp_path, monkeypatch, recipe):
    path, encode, asked = tmp_path / 'm.vpr', PlaceEncoder.encode_with_tokens, itertools.count()

    def failing(self, images, wanted=True):
        if next(asked) == 29:
            raise ModelError('tiny.onnx cannot encode')
        return encode(self, images, wanted)

    with monkeypatch.context() as patched:
        patched.setattr(PlaceEncoder, 'encode_with_tokens', failing)
        with pytest.raises(ModelError, match='cannot encode'):
            build_map(recipe(bags=(street_bag,), output=path, threads=2), progress=False)
    with PlaceMap.open_file(path) as opened:
        assert len(opened) == 24  # whole batches before it
    build_map(recipe(bags=(street_bag,), output=path, resume=True), progress=False)
    assert contents(path) == contents(street_map)


def test_pictures_wait_for_memory(street, tmp_path, tiny, recipe, monkeypatch):
    images = [image for _, _, image in street[:17]]
    monkeypatch.setattr(writer, '_MOST_WAITING', 3 * images[0].nbytes)
    most, encoder = [0], PlaceEncoder(tiny)
    with PlaceMap.create(tmp_path / 'm.vpr', encoder.info) as made:
        places = writer.PlaceWriter(made, made.begin_session('street'), encoder,
                                    recipe(output=made.path, threads=2))
        for i, image in enumerate(images):
            places.add((T + i, Pose(np.array([i, 0.0, 0.0]), level_quaternion(0.0)), image))
            most.append(sum(not made.done() for made, _ in places._made))
        places.close()
        assert len(made) == 17
    assert max(most) <= 3


class SlowEncoder:
    """Encodes a picture only once the next is decoded, and one of two only after the next."""

    def __init__(self, encoder, images):
        self._encoder, self._places = encoder, {id(image): i for i, image in enumerate(images)}
        self.decoded = [threading.Event() for _ in range(len(images) + 1)]
        self.encoded = [threading.Event() for _ in images]
        self.order = []

    def encode_with_tokens(self, images, wanted):
        (image,) = images
        place = self._places[id(image)]
        last = place == len(self.encoded) - 1
        assert self.decoded[place + 1].wait(120.0), 'it waits for what waits for it'
        assert place % 2 or last or self.encoded[place + 1].wait(120.0), 'it is alone'
        self.order.append(place)
        self.encoded[place].set()
        return self._encoder.encode_with_tokens(images, wanted)


class Pictures:
    """Seventeen pictures, a metre apart."""

    source = name = 'pictures'
    length = 17

    def __init__(self, encoder, images):
        self.problems, self._encoder, self._images = [], encoder, images

    def frames(self):
        for i, image in enumerate(self._images):
            def decode(i=i, image=image):
                self._encoder.decoded[i].set()
                return image
            yield Frame(T + i, Pose(np.array([i, 0.0, 0.0]), level_quaternion(0.0)), decode)
        self._encoder.decoded[-1].set()


def test_pictures_are_encoded_side_by_side_as_others_are_decoded_and_stored_in_order(
        street, tmp_path, tiny, recipe):
    images = [image.copy() for _, _, image in street[:17]]
    encoder = SlowEncoder(PlaceEncoder(tiny), images)
    pictures = Pictures(encoder, images)
    with PlaceMap.create(tmp_path / 'm.vpr', PlaceEncoder(tiny).info) as made:
        report = BuildReport()
        writer.add_traverse(made, pictures, encoder, recipe(output=made.path, threads=2), report,
                            False)
        table = made.places()
        assert sorted(encoder.order) == list(range(17)) != encoder.order
        assert report.places == 17
        assert table.positions[:, 0].tolist() == list(range(17))
        assert (table.descriptors == PlaceEncoder(tiny).encode_batch(images)).all()


def test_resume_without_a_map_begins_one(street_bag, street_map, tmp_path, recipe):
    build_map(recipe(bags=(street_bag,), output=tmp_path / 'm.vpr', resume=True), progress=False)
    assert contents(tmp_path / 'm.vpr') == contents(street_map)


def test_bags_are_checked_before_the_map_is_begun(street_bag, tmp_path, recipe):
    path = tmp_path / 'm.vpr'
    for bags, extra in (((street_bag, tmp_path / 'nowhere'), {}),
                        ((street_bag,), {'pose_topic': '/no'}),
                        ((street_bag,), {'image_topic': '/no'}),
                        ((street_bag,), {'tf_frames': ('map', 'wheel')})):
        with pytest.raises(BagError):
            build_map(recipe(bags=bags, output=path, **extra), progress=False)
    assert not path.exists()


def test_poses_from_transforms_name_the_frame(street_bag, street_map, tmp_path, recipe):
    path = tmp_path / 'tf.vpr'
    build_map(recipe(bags=(street_bag,), output=path, tf_frames=('map', 'base_link')),
              progress=False)
    with PlaceMap.open_file(path) as opened, PlaceMap.open_file(street_map) as other:
        assert opened.frame_id == 'map'
        assert np.allclose(opened.places().positions, other.places().positions)


def test_gps_maps_keep_their_origin_over_traverses(street, tmp_path, recipe):
    for name, start in (('one', 0), ('two', 5)):
        with BagFactory(tmp_path / name) as bag:
            for i in range(start, start + 10):
                bag.fix(T + i * S, 47.0 + i * 1e-5, 8.0, 400.0)
                bag.jpeg(T + i * S, street[i][2])
    path = tmp_path / 'gps.vpr'
    build_map(recipe(bags=(tmp_path / 'one',), output=path, max_pose_gap=2.0),
              progress=False)
    build_map(recipe(bags=(tmp_path / 'two',), output=path, max_pose_gap=2.0, append=True),
              progress=False)
    with PlaceMap.open_file(path) as opened:
        table = opened.places()
        assert opened.meta()['geodetic_origin'] == [47.0, 8.0, 400.0]
        second = table.sessions == 2
        assert table.positions[second][0, 1] == pytest.approx(5.56, abs=0.01)
        assert table.geodetic[second][0, 0] == pytest.approx(47.00005)


def test_a_gps_traverse_cannot_join_a_map_of_another_frame(street_map, street, tmp_path, recipe):
    grown = tmp_path / 'grown.vpr'
    shutil.copy(street_map, grown)
    with BagFactory(tmp_path / 'gps') as bag:
        bag.fix(T, 47.0, 8.0)
        bag.jpeg(T, street[0][2])
    with pytest.raises(BagError, match='GPS poses'):
        build_map(recipe(bags=(tmp_path / 'gps',), output=grown, append=True),
                  progress=False)


def test_a_damaged_bag_is_mapped_up_to_the_damage(tmp_path, street, recipe):
    with BagFactory(tmp_path / 'run') as bag:
        for i in range(30):
            bag.odometry(T + i * S, float(i))
            bag.jpeg(T + i * S, street[i][2])
        bag.writer.write(bag.connections['/camera/compressed'], T + 40 * S, b'\0\1\0\0cut off')
    report = build_map(recipe(bags=(tmp_path / 'run',), output=tmp_path / 'm.vpr',
                              max_pose_gap=2.0), progress=False)
    assert len(report.damaged) == 1
    assert report.total_places == 30
    assert 'mapped in part' in report.summary(tmp_path / 'm.vpr')
    with PlaceMap.open_file(tmp_path / 'm.vpr') as opened:
        assert opened.sessions()[0].complete
        assert opened.meta()['calibration'] is not None


def test_a_small_map_says_by_what_its_matches_are_judged(street, tmp_path, recipe, tiny):
    with BagFactory(tmp_path / 'run') as bag:
        for i in range(3):
            bag.odometry(T + i * S, float(i))
            bag.image(T + i * S, street[i][2])
    said = {}
    for model in (None, tiny):
        path = tmp_path / f'{bool(model)}.vpr'
        report = build_map(recipe(bags=(tmp_path / 'run',), output=path, max_pose_gap=2.0,
                                  model=model), progress=True)
        assert report.calibration.judges
        said[model] = report.summary(path)
    assert 'judged by the second look' in said[None]
    assert 'a single frame is accepted up to' in said[tiny]


def test_a_build_is_not_resumed_with_other_paths_or_poses(street_bag, tmp_path, recipe,
                                                          monkeypatch):
    """From another path all places would come twice; other poses do not fit those stored."""
    path, moved = tmp_path / 'm.vpr', tmp_path / 'moved'
    shutil.copytree(street_bag, moved)
    add, added = writer.PlaceWriter.add, []

    def interrupted(self, picked):
        added.append(picked)
        if len(added) == 20:
            raise KeyboardInterrupt
        add(self, picked)

    with monkeypatch.context() as patched:
        patched.setattr(writer.PlaceWriter, 'add', interrupted)
        assert build_map(recipe(bags=(street_bag,), output=path), progress=False).interrupted
    before = contents(path)
    assert len(before[1][1]) > 0
    with pytest.raises(MapError, match=f'unfinished traverse {street_bag}.*same paths'):
        build_map(recipe(bags=(moved,), output=path, resume=True), progress=False)
    with pytest.raises(MapError, match='begun with poses of the only topic, not of /odom'):
        build_map(recipe(bags=(street_bag,), output=path, resume=True, pose_topic='/odom'),
                  progress=False)
    assert contents(path) == before
    assert not build_map(recipe(bags=(street_bag,), output=path, resume=True),
                         progress=False).interrupted
