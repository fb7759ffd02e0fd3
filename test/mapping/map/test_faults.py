# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Maps that were damaged, disks that are full, and two who write."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
from sample_data import noisy, ROOT
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, View
from tetra_vpr_ros.mapping import build_map, BuildOptions, MapError, PlaceMap
from tetra_vpr_ros.mapping.tools.verify import problems

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


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings('ignore::RuntimeWarning')
def test_flipped_bytes_are_an_error_or_do_no_harm(map_file, tmp_path, rng):
    whole, path = map_file.read_bytes(), tmp_path / 'flipped.vpr'
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


def test_a_schema_with_code_in_it_is_not_run(map_file, tmp_path, rng):
    path = shutil.copy(map_file, tmp_path / 'hostile.vpr')
    with sqlite3.connect(path) as db:
        db.executescript("""
            ALTER TABLE meta RENAME TO hidden;
            CREATE VIEW meta AS SELECT key, load_extension('/tmp/evil.so') AS value FROM hidden;
        """)
    with pytest.raises(MapError):
        use(path, rng)


def test_a_second_writer_is_refused_at_once(map_file, tmp_path):
    path = shutil.copy(map_file, tmp_path / 'shared.vpr')
    with PlaceMap.open_file(path, writable=True):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, '-m', 'tetra_vpr_ros.nodes.calibrate_map', '--map', str(path)],
            cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert 'is being written by another process' in done.stderr
        assert time.monotonic() - began < 20
        with PlaceMap.open_file(path) as reader:  # reading is fine
            assert len(reader)
    with PlaceMap.open_file(path, writable=True) as again:
        assert len(again)
    assert not list(tmp_path.glob('*.lock'))


def test_a_full_disk_is_told_and_the_map_is_what_was_committed(bag, tmp_path):
    small = tmp_path / 'small'
    small.mkdir()
    if os.geteuid() or subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', str(small)],
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
