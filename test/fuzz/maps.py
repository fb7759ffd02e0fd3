# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Damaged map files: read as the node reads them, and written to."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
import hashlib
import json
from pathlib import Path
import sqlite3
import tempfile

import cv2
from fuzz import bags
from fuzz.mutation import damaged, damaged_value, NUMBERS, pick, WORDS
import numpy as np
from sample_data import walk_descriptors
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, View
from tetra_vpr_ros.mapping import (
    build_map, BuildOptions, calibrate, MapError, NewPlace, PlaceMap, Pose)
from tetra_vpr_ros.mapping.tools.export import export, FORMATS
from tetra_vpr_ros.mapping.tools.merge import merge
from tetra_vpr_ros.mapping.tools.prune import prune
from tetra_vpr_ros.mapping.tools.verify import problems
from tetra_vpr_ros.nodes.calibrate_map import calibrate_file
from tetra_vpr_ros.nodes.vpr_map import describe
from tetra_vpr_ros.vision import PlaceEncoder
from tetra_vpr_ros.vision.local_features import extract_features

_BAD_SQL = (
    'DROP TABLE thumbnail', 'DROP TABLE place', 'ALTER TABLE place ADD COLUMN more',
    'ALTER TABLE meta RENAME COLUMN value TO worth', 'CREATE VIEW more AS SELECT 1',
    'CREATE TRIGGER t AFTER INSERT ON place BEGIN DELETE FROM place; END',
    'DELETE FROM place', 'DELETE FROM session', 'PRAGMA user_version=2',
    "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '')",
    "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = CAST(x'C3FF28' AS TEXT)",
    'PRAGMA writable_schema=ON; UPDATE sqlite_master SET rootpage = rootpage + 1',
    'PRAGMA writable_schema=ON; UPDATE sqlite_master SET rootpage = 3')


@lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix='fuzz_maps_')


@lru_cache(maxsize=2)
def whole(tagged: bool) -> bytes:
    """Return a small sound map of two traverses, with all that a map can hold."""
    rng = np.random.default_rng(1)
    path = Path(_folder().name) / f'whole{tagged}.vpr'
    picture = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    jpeg = cv2.imencode('.jpg', picture)[1].tobytes()
    features = extract_features(picture, 10)
    with PlaceMap.create(path, PlaceEncoder(bags.model()).info) as new:
        for name in ('/first:/camera', '/second:/camera'):
            session = new.begin_session(name)
            new.add_places(session, [
                NewPlace(1000 + i, Pose(np.array([i, 1.0, 0.0]), np.array([0, 0, 0, 1.0]),
                                        (47.0, 8.0, 400.0) if tagged else None),
                         descriptor, jpeg if i % 3 else None, features if i % 2 else None)
                for i, descriptor in enumerate(walk_descriptors(rng, 15))])
            new.finish_session(session)
        found = calibrate(new.places())
        assert found is not None
        new.set_meta(calibration=found.to_meta(), build=BuildOptions(path).recipe())
        if tagged:
            new.set_meta(geodetic_origin=(47.0, 8.0, 400.0))
    return path.read_bytes()


def damage(rng: np.random.Generator) -> bytes:
    """Return a damaged map."""
    data = whole(bool(rng.integers(2)))
    kind = rng.integers(4)
    if kind == 0:
        return damaged(rng, data)
    path = Path(_folder().name) / 'damaged.vpr'
    path.write_bytes(data)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute('PRAGMA synchronous=OFF')
    # What the schema forbids is part of the damage that is wanted.
    with suppress(sqlite3.Error, OverflowError, ValueError, RecursionError):
        for _ in range(int(rng.integers(1, 4))):
            _change(rng, db, kind)
    db.close()
    data = path.read_bytes()
    return damaged(rng, data, 2) if rng.random() < 0.2 else data


def _change(rng: np.random.Generator, db: sqlite3.Connection, kind: int) -> None:
    if kind == 1:
        key, value = pick(rng, db.execute('SELECT key, value FROM meta').fetchall())
        new = json.dumps(damaged_value(rng, json.loads(value)))
        choice = rng.integers(8)
        stored = (new[:len(new) // 2] if choice == 0 else rng.bytes(20) if choice == 1
                  else '[' * 100_000 if choice == 2 else new)
        db.execute('UPDATE meta SET value = ? WHERE key = ?', (stored, key))
    elif rng.random() < 0.15:
        db.executescript(pick(rng, _BAD_SQL))
    else:
        table = pick(rng, ('meta', 'session', 'place', 'place', 'place', 'thumbnail', 'features'))
        columns = [row[1] for row in db.execute(f'PRAGMA table_info({table})')]
        value = pick(rng, (None, rng.bytes(32), rng.bytes(31), b'', *NUMBERS, *WORDS))
        text = isinstance(value, str) and '\udcff' in value
        # Text that is no UTF-8 comes in as the bytes that it is.
        new = 'CAST(? AS TEXT)' if text else '?'
        db.execute(f'UPDATE {table} SET {pick(rng, columns)} = {new} '
                   f'WHERE ({columns[0]} + ?) % 5 = 0',
                   (value.encode('utf-8', 'surrogateescape') if text else value,
                    int(rng.integers(5))))


def check(data: bytes, folder: Path) -> str:
    """Read a map in all ways, then write to it in one."""
    path = folder / 'map.vpr'
    path.write_bytes(data)
    outcome = 'told'
    with suppress(MapError):
        _read(path, data)
        outcome = 'fine'
    assert all(isinstance(problem, str) for problem in problems(path))
    with suppress(MapError):
        describe(path)
    choice = hashlib.sha256(data).digest()
    with suppress(MapError), PlaceMap.open_file(path) as opened:
        export(opened, [form for form in FORMATS if form != 'png'][choice[0] % 4],
               folder / 'exported')
    assert path.read_bytes() == data, 'reading has changed the file'
    _write(path, data, choice[1] % 5)
    left = {file.name for file in folder.iterdir()}
    assert left <= {'map.vpr', 'exported', 'other.vpr', 'out.vpr', 'bag'}, left
    return outcome


def _read(path: Path, data: bytes) -> None:
    rng = np.random.default_rng(0)
    with PlaceMap.open_file(path) as opened:
        assert isinstance(opened.frame_id, str)
        table = opened.places()
        assert np.isfinite(table.positions).all()
        name = ('bayes', 'single')[data[-1] % 2]
        verification = 'orb' if opened.has_features() else 'none'
        localizer = make_localizer(opened, LocalizerOptions(name, verification=verification))
        for i in range(3 if len(table) else 0):
            estimate = localizer.locate([View(
                table.descriptors[i % len(table)],
                features=extract_features(rng.integers(0, 256, (60, 80, 3), np.uint8), 20))],
                i * 10**9)
            assert np.isfinite(estimate.covariance).all()
            assert estimate.pose is None or np.isfinite(estimate.pose.position).all()
        for place in table.ids.tolist():
            opened.thumbnail(place)
            opened.features(place)


def _write(path: Path, data: bytes, how: int) -> None:
    """Write in one of five ways; a damaged map is refused and left as it was."""
    try:
        with PlaceMap.open_file(path) as opened:
            opened.require_sound()
        sound = True
    except MapError:
        sound = False
    out = path.with_name('out.vpr')
    try:
        if how == 0:
            calibrate_file(path, None)
        elif how == 1:
            prune(path, path, spacing=2.0, progress=False)
        elif how == 2:
            prune(path, out, redundant=(3.0, 100), progress=False)
        elif how == 3:
            other = path.with_name('other.vpr')
            other.write_bytes(whole(False))
            merge(other, path, out, progress=False)
        else:
            bag = path.with_name('bag')
            bag.mkdir()
            (bag / 'bag.mcap').write_bytes(bags.whole()['bag.mcap'])
            build_map(BuildOptions(path, (bag / 'bag.mcap',), '/camera/compressed', '/odom',
                                   model=bags.model(), append=True, threads=1), progress=False)
    except MapError:
        assert sound or path.read_bytes() == data, 'a refused map has been changed'
        assert not out.exists()
        return
    assert sound, 'a damaged map was written to'
    result = out if how in (2, 3) else path
    with PlaceMap.open_file(result) as opened:
        opened.require_sound()
