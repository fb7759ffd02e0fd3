# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Maps that were damaged, disks that are full, and two who write."""

from dataclasses import replace
import os
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from sample_data import noisy, ROOT
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, View
from tetra_vpr_ros.mapping import build_map, BuildOptions, MapError, PlaceMap
from tetra_vpr_ros.mapping.tools.merge import merge
from tetra_vpr_ros.mapping.tools.prune import prune
from tetra_vpr_ros.mapping.tools.reencode import reencode
from tetra_vpr_ros.mapping.tools.verify import problems
from tetra_vpr_ros.nodes.calibrate_map import calibrate_file
from tetra_vpr_ros.vision import PlaceEncoder

FLIPS = 500


def use(path, rng):
    """Do with a map what the node does."""
    with PlaceMap.open_file(path) as opened:
        assert isinstance(opened.frame_id, str)
        localizer = make_localizer(opened, LocalizerOptions())
        if len(localizer.table):
            estimate = localizer.locate([View(noisy(rng, localizer.table.descriptors[0]))], 0)
            opened.thumbnail(estimate.place_id)
            opened.features(estimate.place_id)


@pytest.mark.filterwarnings('ignore::RuntimeWarning')
def test_flipped_bytes_are_an_error_or_do_no_harm(street_map, tmp_path, rng):
    whole, path = street_map.read_bytes(), tmp_path / 'flipped.vpr'
    outcomes = {'fine': 0, 'told': 0}
    for _ in range(FLIPS):
        data = bytearray(whole)
        # Half of them in the first pages, where the structure lies.
        last = len(data) if rng.random() < 0.5 else 20_000
        for at in rng.integers(0, last, rng.integers(1, 6)):
            data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        try:
            use(path, rng)
            outcomes['fine'] += 1
        except MapError:
            outcomes['told'] += 1
        assert isinstance(problems(path), list)
    print(outcomes)
    assert outcomes['told'] > 20


def test_a_schema_with_code_in_it_is_not_run(street_map, tmp_path, rng):
    path = shutil.copy(street_map, tmp_path / 'hostile.vpr')
    with sqlite3.connect(path) as db:
        db.executescript("""
            ALTER TABLE meta RENAME TO hidden;
            CREATE VIEW meta AS SELECT key, load_extension('/tmp/evil.so') AS value FROM hidden;
        """)
    with pytest.raises(MapError):
        use(path, rng)


DAMAGE = {
    'bytes that are no text': "UPDATE meta SET value = CAST(x'22ff22' AS TEXT) WHERE key = 'bits'",
    'half of the JSON': "UPDATE meta SET value = '{\"a\": ' WHERE key = 'build'",
    'deep JSON': "UPDATE meta SET value = printf('%.*c', 100000, '[') WHERE key = 'created'",
    'a long number': "UPDATE meta SET value = printf('1%.*c', 5000, '0') WHERE key = 'bits'",
    'a number that is text': "UPDATE meta SET value = '\"2048\"' WHERE key = 'bits'",
    'a frame without a name': "UPDATE meta SET value = '7' WHERE key = 'frame_id'",
    'no fingerprint': "DELETE FROM meta WHERE key = 'model_fingerprint'",
    'a recipe of words': """UPDATE meta SET value = '{"keyframe_distance": "far"}'
        WHERE key = 'build'""",
    'a recipe of huge numbers': """UPDATE meta SET value = '{"keyframe_angle": 1e200}'
        WHERE key = 'build'""",
    'a recipe without an end': """UPDATE meta SET value = '{"keyframe_distance": Infinity}'
        WHERE key = 'build'""",
    'a camera that sees nothing': """INSERT INTO meta VALUES ('camera', '{"width": 640,
        "height": 480, "horizontal_fov": 0.0, "vertical_fov": 1.0}')""",
    'a camera that is a list': "INSERT INTO meta VALUES ('camera', '[640, 480]')",
    'an origin of two': "INSERT INTO meta VALUES ('geodetic_origin', '[47, 8]')",
    'an origin off the Earth': "INSERT INTO meta VALUES ('geodetic_origin', '[470, 8, 0]')",
    'a calibration that is a list': "UPDATE meta SET value = '[1]' WHERE key = 'calibration'",
    'a source that is bytes': "UPDATE session SET source = x'ff'",
    'a source that is no text': "UPDATE session SET source = CAST(x'ff' AS TEXT)",
    'a start that is text': "UPDATE session SET start_ns = 'then'",
    'a stamp that is text': "UPDATE place SET stamp_ns = 'now' WHERE id = 3",
    'a stamp with a fraction': 'UPDATE place SET stamp_ns = 1.5 WHERE id = 3',
    'a place that is text': "UPDATE place SET x = 'here' WHERE id = 3",
    'a place at infinity': 'UPDATE place SET x = 9e999 WHERE id = 3',
    'a place beyond the Earth': 'UPDATE place SET y = -1e200 WHERE id = 3',
    'a latitude that is bytes': "UPDATE place SET latitude = x'00' WHERE id = 3",
    'a latitude off the Earth': 'UPDATE place SET latitude = -1e287 WHERE id = 3',
    'no rotation': 'UPDATE place SET qw = 0.0, qz = 0.0 WHERE id = 3',
    'a descriptor that is text': 'UPDATE place SET descriptor = hex(zeroblob(16)) WHERE id = 3',
    'a descriptor that is a number': 'UPDATE place SET descriptor = 5 WHERE id = 3',
    'a descriptor of five megabytes':
        'UPDATE place SET descriptor = zeroblob(5000000) WHERE id = 3',
    'a traverse that is not there':
        'PRAGMA foreign_keys=OFF; UPDATE place SET session = 9 WHERE id = 3',
    'columns that may be empty': """PRAGMA writable_schema=ON;
        UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '')""",
    'a column that is computed': """ALTER TABLE features RENAME TO hidden;
        CREATE TABLE features (place INTEGER PRIMARY KEY, keypoints BLOB,
        descriptors BLOB AS (zeroblob(1000000000)))""",
    'a trigger': """CREATE TRIGGER t AFTER INSERT ON place
        BEGIN DELETE FROM place; END"""}


@pytest.mark.parametrize('change', DAMAGE.values(), ids=DAMAGE)
def test_what_is_damaged_is_told_and_never_written_to(street_map, street_bag, tiny, tmp_path,
                                                      change):
    path, out = shutil.copy(street_map, tmp_path / 'own.vpr'), tmp_path / 'out.vpr'
    db = sqlite3.connect(path)
    db.executescript(change)
    db.close()
    before = path.read_bytes()
    with pytest.raises(MapError, match=r'own\.vpr'), PlaceMap.open_file(path) as opened:
        opened.require_sound()
    assert problems(path)
    again = BuildOptions(path, (street_bag,), model=tiny)
    for write in (
            lambda: build_map(replace(again, append=True), progress=False),
            lambda: build_map(replace(again, resume=True), progress=False),
            lambda: calibrate_file(path, None), lambda: prune(path, path, 2.0, progress=False),
            lambda: merge(street_map, path, out, progress=False),
            lambda: merge(path, street_map, out, progress=False),
            lambda: reencode(path, path, PlaceEncoder(tiny), progress=False)):
        with pytest.raises(MapError, match=r'own\.vpr'):
            write()
        assert path.read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == ['own.vpr']


@pytest.mark.parametrize('key, value', [
    ('pairs', [1, 2]), ('pairs', [0] * 257), ('nearest', None), ('nearest', ['a'] * 257),
    ('same_scores', [1] * 5), ('different_scores', {}), ('same_bits', [-1] * 257),
    ('same_bits', [1.5] * 257), ('spacing', float('nan')), ('step_bits', 'few'),
    ('covariance_scale', 0.0), ('covariance_scale', -2.0), ('positives', 10**400),
    ('source', 5)])
def test_a_damaged_calibration_is_told_and_made_again(street_map, tmp_path, key, value):
    path = shutil.copy(street_map, tmp_path / 'own.vpr')
    with PlaceMap.open_file(path, writable=True) as opened:
        sound = opened.meta()['calibration']
        opened.set_meta(calibration={**sound, key: value})
    with PlaceMap.open_file(path) as opened, pytest.raises(
            MapError, match=r'own\.vpr has a damaged calibration: .*; run calibrate_map --map'):
        make_localizer(opened, LocalizerOptions())
    assert any('run calibrate_map' in problem for problem in problems(path))
    calibrate_file(path, None)
    with PlaceMap.open_file(path) as opened:
        assert opened.meta()['calibration'] == sound
    assert problems(path) == []


def test_pictures_and_features_of_another_type_are_told(street_map, tmp_path):
    path = shutil.copy(street_map, tmp_path / 'own.vpr')
    with sqlite3.connect(path) as db:
        db.execute("UPDATE thumbnail SET jpeg = 'text' WHERE place = 1")
        db.execute('UPDATE thumbnail SET jpeg = 1000000000000 WHERE place = 2')
        db.execute("INSERT INTO features VALUES (1, 'text', x'00')")
        db.execute('INSERT INTO features VALUES (2, zeroblob(7), zeroblob(32))')
        db.execute("INSERT INTO features VALUES (3, x'0000c07f0000c07f', zeroblob(32))")
    with PlaceMap.open_file(path) as opened:
        for place in (1, 2):
            with pytest.raises(MapError, match=f'the thumbnail of place {place}'):
                opened.thumbnail(place)
        for place in (1, 2, 3):
            with pytest.raises(MapError, match=f'the features of place {place}'):
                opened.features(place)
    db.close()


def test_a_second_writer_is_refused_at_once(map_file, tmp_path):
    path = shutil.copy(map_file, tmp_path / 'shared.vpr')
    with PlaceMap.open_file(path, writable=True):
        done = subprocess.run(
            [sys.executable, '-m', 'tetra_vpr_ros.nodes.calibrate_map', '--map', str(path)],
            cwd=ROOT, capture_output=True, text=True, check=False)  # it does not wait for ever
        assert done.returncode == 1
        assert 'is being written by another process' in done.stderr
        with PlaceMap.open_file(path) as reader:  # reading is fine
            assert len(reader)
    with PlaceMap.open_file(path, writable=True) as again:
        assert len(again)
    assert not list(tmp_path.glob('*.lock'))


def test_a_full_disk_is_told_and_the_map_is_what_was_committed(bag, tmp_path):
    small = tmp_path / 'small'
    small.mkdir()
    if os.geteuid() or subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', str(small)],
            capture_output=True, check=False).returncode:
        pytest.skip('a small file system cannot be mounted here')
    try:
        with pytest.raises(MapError, match=r'home\.vpr cannot be (written|created).*full'):
            build_map(BuildOptions(bags=(bag,), output=small / 'home.vpr'), progress=False)
        with PlaceMap.open_file(small / 'home.vpr') as opened:
            assert not opened.integrity()
            kept = opened.places()
        assert np.isfinite(kept.positions).all()
    finally:
        subprocess.run(['umount', str(small)], check=True)
