# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a map written anew may replace, and who may not write it meanwhile."""

from dataclasses import replace
import fcntl
import os
import shutil

import numpy as np
import pytest
from street import write_street
from tetra_vpr_ros.mapping import build_map, BuildOptions, MapError, PlaceMap, Pose
from tetra_vpr_ros.mapping.building.copying import copy_places
from tetra_vpr_ros.mapping.calibration import BY_A_DRIVE, load_calibration
from tetra_vpr_ros.mapping.map.writer_lock import WriterLock
from tetra_vpr_ros.mapping.tools.merge import merge
from tetra_vpr_ros.mapping.tools.prune import prune
from tetra_vpr_ros.mapping.tools.reencode import reencode
from tetra_vpr_ros.mapping.tools.rewriting import place_for, rewritten
from tetra_vpr_ros.vision import default_model_path, PlaceEncoder


@pytest.fixture
def own(street_map, tmp_path):
    """Return a map that a test may change."""
    return shutil.copy(street_map, tmp_path / 'own.vpr')


def count(path):
    with PlaceMap.open_file(path) as opened:
        return len(opened)


def test_a_map_that_is_being_written_is_not_replaced(own, street_map, tmp_path):
    before = count(own)
    link = tmp_path / 'link.vpr'
    link.symlink_to(own)
    with PlaceMap.open_file(own, writable=True):
        for path in (own, link):
            with pytest.raises(MapError, match='is being written by another process'):
                prune(path, path, 2.0, progress=False)
    assert count(own) == before
    with place_for(own, own):
        for path in (own, link):
            with pytest.raises(MapError, match='is being written by another process'):
                PlaceMap.open_file(path, writable=True)
    out = tmp_path / 'out.vpr'
    with place_for(out), pytest.raises(MapError, match='is being written by another process'):
        merge(own, street_map, out, progress=False)
    assert {file.name for file in tmp_path.iterdir()} == {'own.vpr', 'link.vpr'}


def test_nothing_is_replaced_but_the_map_itself(own, street_map, tiny, tmp_path):
    text, linked = tmp_path / 'notes.txt', tmp_path / 'linked.vpr'
    text.write_text('precious')
    for write in (lambda out: merge(own, street_map, out, progress=False),
                  lambda out: prune(own, out, 2.0, progress=False),
                  lambda out: reencode(own, out, PlaceEncoder(tiny), progress=False)):
        for out in (text, tmp_path):
            with pytest.raises(MapError, match='exists: name another file'):
                write(out)
        with pytest.raises(MapError, match='there is no folder'):
            write(tmp_path / 'none' / 'out.vpr')
    assert text.read_text() == 'precious'
    os.link(own, linked)
    with pytest.raises(MapError, match='is one of the maps to be merged'):
        merge(own, street_map, linked, progress=False)
    beside = own.rename(tmp_path / 'out.vpr.rewritten.tmp')
    with pytest.raises(MapError, match='is what .*out.vpr is written to first: rename it'):
        merge(street_map, beside, tmp_path / 'out.vpr', progress=False)
    assert count(beside) == count(street_map)


def test_a_link_leads_to_the_map_and_its_mode_is_kept(own, tmp_path):
    link = tmp_path / 'link.vpr'
    link.symlink_to('own.vpr')
    own.chmod(0o640)
    before = count(own)
    prune(link, link, 2.0, progress=False)
    assert link.is_symlink()
    assert count(own) == count(link) < before / 2
    assert own.stat().st_mode & 0o777 == 0o640
    own.chmod(0o444)
    with pytest.raises(MapError, match='is read-only: name another file with --out'):
        prune(own, own, 4.0, progress=False)


def test_a_lock_that_was_released_meanwhile_is_none(tmp_path, monkeypatch):
    path, locked = tmp_path / 'a.vpr', fcntl.flock
    taken = []

    def flock(file, how):
        if not taken:  # its holder removes the file between opening and locking it
            (tmp_path / 'a.vpr.lock').unlink()
        taken.append(file)
        locked(file, how)

    monkeypatch.setattr(fcntl, 'flock', flock)
    lock = WriterLock(path)
    assert len(taken) == 2
    with pytest.raises(MapError, match='is being written by another process'):
        WriterLock(path)
    lock.release()
    assert not list(tmp_path.iterdir())


def test_a_calibration_by_a_drive_is_told_to_be_lost_and_its_scale_kept(own, street_map, tmp_path):
    with PlaceMap.open_file(own, writable=True) as opened:
        stored = opened.value('calibration')
        opened.set_meta(calibration={**stored, 'source': 'queries', 'covariance_scale': 6.5})
    notes = []
    prune(own, own, 2.0, progress=False, notes=notes)
    assert notes == [f'{own}: {BY_A_DRIVE}']
    with PlaceMap.open_file(own) as opened:
        found = load_calibration(opened)
    assert (found.source, found.covariance_scale) == ('neighbours', 6.5)
    notes.clear()
    prune(own, own, 2.0, progress=False, notes=notes)
    assert not notes


@pytest.mark.parametrize('former, scale', [(True, 6.5), (False, 1.0)])
def test_the_scale_is_kept_with_a_file_that_encodes_alike(own, tiny, tmp_path, former, scale):
    info = PlaceEncoder(tiny).info
    model = replace(info, fingerprint='f' * 64, former=(info.fingerprint,) if former else ())
    with PlaceMap.open_file(own, writable=True) as opened:
        stored = opened.value('calibration')
        opened.set_meta(calibration={**stored, 'source': 'queries', 'covariance_scale': 6.5})
        with rewritten(tmp_path / 'new.vpr', opened, model) as new:
            copy_places(opened, opened.places(), new, np.ones(len(opened), bool), None, False)
    with PlaceMap.open_file(tmp_path / 'new.vpr') as opened:
        assert load_calibration(opened).covariance_scale == scale


def test_one_traverse_in_two_maps_is_told(own, street_map, tmp_path):
    notes, out = [], tmp_path / 'out.vpr'
    both = merge(own, street_map, out, progress=False, notes=notes)
    assert f'{both // 2} of its places are pictures of the first map, too' in notes[0]
    far = Pose(np.array([1e8, 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]))
    with pytest.raises(MapError, match='cannot be moved by the transform: the pose at'):
        merge(own, street_map, tmp_path / 'far.vpr', far, progress=False)
    assert not (tmp_path / 'far.vpr').exists()


def test_places_that_are_added_sparsely_leave_the_others_as_near_as_they_are(
        own, street_map, street, tiny, tmp_path):
    write_street(tmp_path / 'again', street[::20])
    with PlaceMap.open_file(own) as opened:
        before = opened.keyframes
    build_map(BuildOptions(own, (tmp_path / 'again',), model=tiny, append=True,
                           keyframe_distance=5.0), progress=False)
    with PlaceMap.open_file(own) as opened:
        assert opened.keyframes == before
        assert opened.value('build')['keyframe_distance'] == 5.0  # what a resumed build needs
    merge(own, street_map, tmp_path / 'both.vpr', progress=False)
    with PlaceMap.open_file(tmp_path / 'both.vpr') as opened:
        assert opened.keyframes == before


def test_maps_of_files_that_encode_alike_are_merged(own, street_map, tmp_path):
    """One was built before the matches of the shipped model were measured again."""
    shipped = PlaceEncoder(default_model_path()).info
    new = shutil.copy(street_map, tmp_path / 'new.vpr')
    for path, fingerprint in ((own, shipped.former[0]), (new, shipped.fingerprint)):
        with PlaceMap.open_file(path, writable=True) as opened:
            opened.set_meta(model_name=shipped.name, model_fingerprint=fingerprint)
    assert merge(own, new, tmp_path / 'both.vpr', progress=False) == 2 * count(own)
    with PlaceMap.open_file(own, writable=True) as opened:
        opened.set_meta(model_fingerprint='e' * 64)
    with pytest.raises(MapError, match='was built with model'):
        merge(own, new, tmp_path / 'other.vpr', progress=False)
