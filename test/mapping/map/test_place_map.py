# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path
import shutil
import sqlite3

import numpy as np
import pytest
from sample_data import MATCHES, random_descriptors
from tetra_vpr_ros.mapping import MapError, ModelMismatchError, NewPlace, PlaceMap, Pose
from tetra_vpr_ros.mapping.map.place_map import model_of_map
from tetra_vpr_ros.vision import default_model_path, ModelInfo, PlaceEncoder, shipped_models

MODEL = ModelInfo(Path('a.onnx'), 'a' * 64, 'model-a', '1', 256, 8, 8, 'none')
OTHER = ModelInfo(Path('b.onnx'), 'b' * 64, 'model-b', '1', 256, 8, 8, 'none')


def places(rng, count, thumbnail=None, geodetic=None):
    return [NewPlace(1000 + i, Pose(np.array([i, 2.0, 0.0]), np.array([0, 0, 0, 1.0]), geodetic),
                     descriptor, thumbnail)
            for i, descriptor in enumerate(random_descriptors(rng, count))]


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'home.vpr'


@pytest.fixture
def filled(path, rng):
    with PlaceMap.create(path, MODEL, 'odom') as new:
        session = new.begin_session('bag1')
        new.add_places(session, places(rng, 5, b'jpeg', (47.0, 8.0, 400.0)))
        new.add_places(session, places(rng, 3))
        new.finish_session(session)
    return path


def test_what_is_stored_comes_back(path, rng):
    stored = places(rng, 4, b'jpeg', (47.0, 8.0, 400.0)) + places(rng, 2)
    with PlaceMap.create(path, MODEL, 'odom') as new:
        session = new.begin_session('bag1')
        assert new.add_places(session, stored) == [1, 2, 3, 4, 5, 6]
        assert new.add_places(session, []) == []
    with PlaceMap.open_file(path) as opened:
        table = opened.places()
        assert len(opened) == len(table) == 6
        assert np.array_equal(table.descriptors, [p.descriptor for p in stored])
        assert np.array_equal(table.positions, [p.pose.position for p in stored])
        assert np.array_equal(table.quaternions, [p.pose.quaternion for p in stored])
        assert np.array_equal(table.stamps, [p.stamp_ns for p in stored])
        assert np.array_equal(table.geodetic[0], [47, 8, 400])
        assert np.isnan(table.geodetic[4:]).all()
        assert opened.thumbnail(1) == b'jpeg'
        assert opened.thumbnail(6) is None
        meta = opened.meta()
        assert meta['model_fingerprint'] == MODEL.fingerprint
        assert (meta['bits'], opened.bits, opened.frame_id) == (256, 256, 'odom')
        session = opened.sessions()[0]
        assert (session.source, session.start_ns, session.end_ns) == ('bag1', 1000, 1001)
        assert not session.complete


def test_a_closed_map_is_one_plain_file(filled):
    assert [p.name for p in filled.parent.iterdir()] == ['home.vpr']
    assert sqlite3.connect(filled).execute('PRAGMA journal_mode').fetchone()[0] == 'delete'


def test_reopening_to_write_continues(filled, rng):
    with PlaceMap.open_file(filled, writable=True) as opened:
        stamps = opened.stamps(1)
        assert len(stamps) == 8
        assert stamps[-1] == 1002
        second = opened.begin_session('bag2')
        assert opened.stamps(second) == []
        assert opened.add_places(second, places(rng, 1)) == [9]


def test_read_only_by_default(filled, rng):
    before = filled.read_bytes()
    with PlaceMap.open_file(filled) as opened, pytest.raises(MapError, match='cannot be written'):
        opened.add_places(1, places(rng, 1))
    assert filled.read_bytes() == before


def test_a_read_only_folder_does_not_matter_to_the_node(filled):
    filled.chmod(0o444)
    with PlaceMap.open_file(filled) as opened:
        assert len(opened.places()) == 8


def test_a_batch_is_stored_whole_or_not_at_all(filled, rng):
    batch = places(rng, 3)
    bad = [
        NewPlace(1, batch[0].pose, np.zeros(16, np.uint8)),
        NewPlace(1, Pose(np.array([np.nan, 0, 0]), np.array([0, 0, 0, 1.0])), batch[0].descriptor),
        NewPlace(1, Pose(np.zeros(3), np.array([0, 0, 0, 2.0])), batch[0].descriptor)]
    with PlaceMap.open_file(filled, writable=True) as opened:
        for place in bad:
            with pytest.raises(ValueError, match='descriptor|pose'):
                opened.add_places(1, [*batch, place])
        assert len(opened) == 8
        with pytest.raises(RuntimeError), opened._db.transaction() as db:
            db.execute('DELETE FROM place')
            raise RuntimeError
        assert len(opened) == 8


def test_an_existing_file_is_not_overwritten(filled):
    before = filled.read_bytes()
    with pytest.raises(MapError, match=r'home\.vpr exists'):
        PlaceMap.create(filled, MODEL)
    assert filled.read_bytes() == before


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(MapError, match='no folder .*nowhere'):
        PlaceMap.create(tmp_path / 'nowhere' / 'a.vpr', MODEL)


def test_a_map_is_opened_with_the_model_that_it_was_made_with(tmp_path, filled):
    for path in shipped_models().values():
        place_map = tmp_path / f'{path.stem}.vpr'
        PlaceMap.create(place_map, PlaceEncoder(path).info).close()
        assert model_of_map(place_map) == path
        assert model_of_map(place_map, Path('mine.onnx')) == Path('mine.onnx')
    assert model_of_map(filled) is None  # of a model that is not shipped
    assert model_of_map(tmp_path / 'none.vpr') is None


def test_another_model_is_refused_and_both_are_named(filled):
    with PlaceMap.open_file(filled) as opened:
        opened.require_model(MODEL)
        with pytest.raises(ModelMismatchError, match='model-a .*model-b'):
            opened.require_model(OTHER)


def test_a_map_of_a_former_file_takes_what_the_new_one_says_of_matches(path):
    model = replace(MODEL, token_grid=(2, 2), token_bits=64, match_model=MATCHES)
    again = replace(model, fingerprint='c' * 64, former=('d' * 64, MODEL.fingerprint),
                    match_model=replace(MATCHES, missed=0.2))
    PlaceMap.create(path, model).close()
    with PlaceMap.open_file(path) as opened:
        assert opened.match_model() == MATCHES
        opened.require_model(replace(model, match_model=None))
        assert opened.match_model() == MATCHES
        with pytest.raises(ModelMismatchError):
            opened.require_model(replace(again, former=()))
        opened.require_model(again)
        assert opened.match_model() == again.match_model
    with PlaceMap.open_file(path) as opened:
        assert opened.match_model() == MATCHES  # which is what the map remembers


def test_a_map_of_a_former_file_is_opened_with_the_shipped_one(path):
    shipped = PlaceEncoder(default_model_path()).info
    PlaceMap.create(path, replace(shipped, fingerprint=shipped.former[0])).close()
    assert model_of_map(path) == default_model_path()
    with PlaceMap.open_file(path) as opened:
        opened.require_model(shipped)


def test_missing_file(path):
    with pytest.raises(MapError, match='no map file'):
        PlaceMap.open_file(path)


@pytest.mark.parametrize('content', [b'', b'short', b'#!/bin/sh\n' * 1000])
def test_a_file_that_is_no_database(path, content):
    path.write_bytes(content)
    with pytest.raises(MapError, match=r'home\.vpr is not a map file'):
        PlaceMap.open_file(path)


def test_a_database_of_something_else(path):
    db = sqlite3.connect(path)
    db.execute('CREATE TABLE bag (id INTEGER)')
    db.commit()
    db.close()
    with pytest.raises(MapError, match='no map of this package'):
        PlaceMap.open_file(path)


def test_another_format_version(filled):
    db = sqlite3.connect(filled)
    db.execute('PRAGMA user_version=99')
    db.close()
    with pytest.raises(MapError, match='map format 99'):
        PlaceMap.open_file(filled)


def test_a_truncated_file_at_any_length(filled, tmp_path):
    whole = filled.read_bytes()
    cut = tmp_path / 'cut.vpr'
    for keep in range(0, len(whole), len(whole) // 17):
        cut.write_bytes(whole[:keep])
        with pytest.raises(MapError, match='truncated|not a map file'):
            PlaceMap.open_file(cut)


def test_a_damaged_page_is_told_when_it_is_read(filled, rng):
    data = bytearray(filled.read_bytes())
    for start in range(4096, len(data), 4096):  # all pages but the first
        data[start:start + 200] = rng.bytes(200)
    filled.write_bytes(data)
    with pytest.raises(MapError, match=r'home\.vpr (is damaged|cannot be opened)'), \
            PlaceMap.open_file(filled) as opened:
        opened.places()


def test_a_descriptor_of_the_wrong_length_is_told(filled):
    db = sqlite3.connect(filled)
    db.execute("UPDATE place SET descriptor = x'00' WHERE id = 3")
    db.commit()
    db.close()
    with PlaceMap.open_file(filled) as opened, pytest.raises(MapError, match='place 3'):
        opened.places()


def test_a_map_left_open_by_a_killed_build_opens_with_what_was_committed(path, rng, tmp_path):
    building = PlaceMap.create(path, MODEL)
    session = building.begin_session('bag')
    building.add_places(session, places(rng, 6))
    left = tmp_path / 'left'
    left.mkdir()
    for name in ('home.vpr', 'home.vpr-wal', 'home.vpr-shm'):  # what a kill leaves on the disk
        shutil.copy(path.with_name(name), left / name)
    building.close()
    with PlaceMap.open_file(left / 'home.vpr') as opened:
        assert len(opened.places()) == 6


def test_a_change_that_a_kill_left_half_done_is_rolled_back(filled, tmp_path):
    with sqlite3.connect(filled) as db:
        db.executescript('PRAGMA cache_size=1; BEGIN; UPDATE place SET x = 99;')
        db.execute('INSERT INTO meta VALUES (?, ?)', ('filler', 'x' * 100_000))
        copy = tmp_path / 'copy.vpr'
        shutil.copy(filled, copy)
        shutil.copy(f'{filled}-journal', f'{copy}-journal')
        db.execute('ROLLBACK')
    with PlaceMap.open_file(copy) as opened:
        assert opened.places().positions[0, 0] != 99
        assert opened.integrity() == []


def test_reading_while_another_process_appends(filled, rng):
    with PlaceMap.open_file(filled, writable=True) as writer:
        with PlaceMap.open_file(filled) as reader:
            writer.add_places(1, places(rng, 2))
            assert len(reader.places()) == 10
        assert len(writer.places()) == 10


WITH_TOKENS = replace(MODEL, token_grid=(2, 3), token_bits=64, match_model=MATCHES)


def test_patch_tokens_come_back(path, rng):
    tokens = rng.integers(0, 256, (2, 6, 8), dtype=np.uint8)
    with PlaceMap.create(path, WITH_TOKENS) as new:
        assert not new.has_tokens()
        session = new.begin_session('bag1')
        new.add_places(session, [replace(place, tokens=seen) for place, seen in zip(
            places(rng, 3), (tokens[0], None, tokens[1]))])
    with PlaceMap.open_file(path) as opened:
        assert opened.has_tokens()
        assert opened.has_second_look()
        assert opened.token_grid == (2, 3)
        assert opened.match_model() == MATCHES
        assert np.array_equal(opened.tokens(1), tokens[0])
        assert opened.tokens(2) is None
        assert np.array_equal(opened.tokens(3), tokens[1])
        assert opened.tokens_size() == (2, 96)
        assert opened.integrity() == []


def test_tokens_of_another_shape_are_refused(path, rng):
    (place,) = places(rng, 1)
    tokens = rng.integers(0, 256, (6, 8), dtype=np.uint8)
    with PlaceMap.create(path, WITH_TOKENS) as new:
        session = new.begin_session('bag1')
        for bad in (tokens[:5], tokens[:, :7], tokens.astype(np.int16)):
            with pytest.raises(ValueError, match=r'tokens of a place of this map: uint8 \[6, 8'):
                new.add_places(session, [replace(place, tokens=bad)])
        assert len(new) == 0
    path.unlink()
    with PlaceMap.create(path, MODEL) as without, pytest.raises(ValueError, match='the tokens'):
        without.add_places(without.begin_session('bag1'), [replace(place, tokens=tokens)])


@pytest.mark.parametrize('damage, says', [
    ("UPDATE token SET tokens = x'0011'", 'the tokens of place 1'),
    ("UPDATE token SET tokens = 'text'", 'the tokens of place 1'),
    ('DROP TABLE token', 'no such table'),
    ("UPDATE meta SET value = '[2, -3]' WHERE key = 'token_grid'", 'token_grid'),
    ("UPDATE meta SET value = '7' WHERE key = 'token_bits'", 'token_bits'),
    ("UPDATE meta SET value = '{}' WHERE key = 'match_model'", 'match model: place_score')])
def test_damaged_tokens_are_told(path, rng, damage, says):
    with PlaceMap.create(path, WITH_TOKENS) as new:
        new.add_places(new.begin_session('bag1'), [
            replace(place, tokens=np.zeros((6, 8), np.uint8)) for place in places(rng, 1)])
    with sqlite3.connect(path) as db:
        db.executescript(damage)
    with PlaceMap.open_file(path) as opened, pytest.raises(MapError, match=says):
        opened.tokens(1)
        opened.match_model()
