# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
import shutil

import numpy as np
import pytest
from tetra_vpr_ros.mapping import build_map, BuildOptions, PlaceMap
from tetra_vpr_ros.mapping.building.writer import PlaceWriter
from tetra_vpr_ros.mapping.calibration import load_calibration
from tetra_vpr_ros.nodes.calibrate_map import main
from tetra_vpr_ros.simulation.bag import write_bag
from tetra_vpr_ros.simulation.camera import SECOND_LAP_CAMERA
from tetra_vpr_ros.simulation.level import Pose2D


@pytest.fixture
def old_map(map_file, tmp_path):
    path = tmp_path / 'old.vpr'
    shutil.copy(map_file, path)
    with PlaceMap.open_file(path, writable=True) as opened:
        opened.set_meta(calibration={'samples': 3})
    return path


def test_a_map_of_an_older_version_is_calibrated_again(old_map, map_file, capsys):
    assert main(['--map', str(old_map)]) == 0
    assert '(neighbours)' in capsys.readouterr().out
    with PlaceMap.open_file(old_map) as mended, PlaceMap.open_file(map_file) as original:
        assert load_calibration(mended) == load_calibration(original)


def test_a_drive_in_other_light_widens_what_counts_as_a_match(old_map, drive, tmp_path, capsys):
    rng = np.random.default_rng(1)
    bag = tmp_path / 'drive'
    write_bag(bag, [(stamp, pose, SECOND_LAP_CAMERA.apply(image, rng))
                    for stamp, pose, image in drive])
    assert main(['--map', str(old_map)]) == 0
    with PlaceMap.open_file(old_map) as opened:
        before = load_calibration(opened)
    assert main(['--map', str(old_map), '--bag', str(bag)]) == 0
    assert '(queries)' in capsys.readouterr().out
    with PlaceMap.open_file(old_map) as opened:
        after = load_calibration(opened)
    assert after.source == 'queries'
    assert after.positives > 50

    away = tmp_path / 'away'
    write_bag(away, [(stamp, Pose2D(pose.x + 500, pose.y, pose.yaw), image)
                     for stamp, pose, image in drive[:40]])
    assert main(['--map', str(old_map), '--bag', str(away)]) == 1
    assert "in the frame of the map, 'map'?" in capsys.readouterr().err
    with PlaceMap.open_file(old_map) as opened:
        assert load_calibration(opened) == after  # as it was
    assert before != after


def test_a_drive_is_seen_by_the_model_of_the_map(old_map, bag, tmp_path, capsys):
    """Descriptors of two models have nothing in common."""
    assert main(['--map', str(old_map), '--bag', str(bag), '--model', 'tetra_nano_1024']) == 1
    assert 'was built with model tetra_vits8_2048' in capsys.readouterr().err
    with PlaceMap.open_file(old_map) as opened:
        assert opened.value('calibration') == {'samples': 3}
    path = tmp_path / 'nano.vpr'
    build_map(BuildOptions(path, (bag,), model=Path('tetra_nano_1024')), progress=False)
    assert main(['--map', str(path), '--bag', str(bag)]) == 0
    with PlaceMap.open_file(path) as opened:
        found = load_calibration(opened)
    assert (found.source, found.positives) == ('queries', found.samples)
    # The drive is that of the map, and each place is found again at no distance at all.
    assert found.same_bits[0] == found.samples


def test_what_cannot_be_calibrated_is_named(tmp_path, capsys, map_file):
    assert main(['--map', str(tmp_path / 'none.vpr')]) == 1
    assert 'none.vpr' in capsys.readouterr().err
    assert main(['--map', str(map_file), '--bag', str(tmp_path / 'none')]) == 1
    assert 'calibrate_map: ' in capsys.readouterr().err


def test_half_a_drive_calibrates_nothing(old_map, bag, capsys, monkeypatch):
    add, added = PlaceWriter.add, []

    def interrupted(self, picked):
        added.append(picked)
        if len(added) == 30:
            raise KeyboardInterrupt
        add(self, picked)

    monkeypatch.setattr(PlaceWriter, 'add', interrupted)
    before = old_map.read_bytes()
    assert main(['--map', str(old_map), '--bag', str(bag)]) == 130
    assert 'interrupted' in capsys.readouterr().err
    assert old_map.read_bytes() == before
