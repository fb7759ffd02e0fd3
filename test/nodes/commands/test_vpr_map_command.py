# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import csv
import json
import shutil
import sqlite3

import numpy as np
import pytest
from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.mapping.calibration import load_calibration
from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.nodes.vpr_map import main
from tetra_vpr_ros.vision import default_model_path


@pytest.fixture
def own_map(map_file, tmp_path):
    return shutil.copy(map_file, tmp_path / 'own.vpr')


@pytest.fixture
def own_sparse(sparse_map, tmp_path):
    return shutil.copy(sparse_map, tmp_path / 'sparse.vpr')


def places(path):
    with PlaceMap.open_file(path) as opened:
        return opened.places()


def test_info_and_verify_of_a_sound_map(own_map, capsys):
    assert main(['info', str(own_map)]) == 0
    told = capsys.readouterr().out
    for part in (f'{len(places(own_map))} places', "frame 'map'", '2048 bits', 'bounds: x',
                 'traverse 1:', 'true pairs (neighbours)'):
        assert part in told
    assert 'field of view of the mapping camera is not known' in told
    with PlaceMap.open_file(own_map, writable=True) as opened:
        opened.set_meta(camera=Camera.from_field_of_view(640, 480, np.pi / 2).to_meta())
    assert main(['info', str(own_map)]) == 0
    assert 'mapping camera: 90.0° x 73.7°' in capsys.readouterr().out
    assert main(['verify', str(own_map)]) == 0
    assert 'is sound' in capsys.readouterr().out


@pytest.mark.parametrize('change, says', [
    ('UPDATE place SET qw = 0.5, qz = 0 WHERE id = 3', 'not unit quaternions'),
    ('UPDATE place SET stamp_ns = 7 WHERE id IN (3, 4)', '1 places have the traverse and stamp'),
    ('UPDATE session SET complete = 0', 'is not complete'),
    ("DELETE FROM meta WHERE key = 'calibration'; DELETE FROM token", 'not calibrated'),
    ('DELETE FROM token WHERE place < 4', '3 of '),
    ("UPDATE token SET tokens = x'00' WHERE place = 3",
     'place 3 has tokens of 1 bytes instead of 3136'),
    ("UPDATE place SET descriptor = x'00' WHERE id = 3", 'place 3 has a descriptor of 1 bytes'),
    ('PRAGMA foreign_keys=0; UPDATE place SET session = 9 WHERE id = 2', 'not listed: [9]')])
def test_verify_finds_what_is_wrong(own_map, capsys, change, says):
    with sqlite3.connect(own_map) as db:
        db.executescript(change)
    assert main(['verify', str(own_map)]) == 1
    assert says in capsys.readouterr().out


def test_export(own_map, tmp_path, capsys):
    table = places(own_map)
    for form in ('csv', 'tum', 'png', 'utm', 'npz'):
        assert main(['export', str(own_map), '--format', form, '--out',
                     str(tmp_path / f'out.{form}')]) == 0
    with (tmp_path / 'out.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(table)
    assert float(rows[5]['x']) == table.positions[5, 0]
    assert rows[5]['latitude'] == ''
    tum = np.loadtxt(tmp_path / 'out.tum')
    assert np.allclose(tum[:, 1:4], table.positions)
    assert np.allclose(tum[:, 4:], table.quaternions)
    assert (tmp_path / 'out.png').read_bytes().startswith(b'\x89PNG')
    arrays = np.load(tmp_path / 'out.npz')
    assert np.array_equal(arrays['descriptors'], table.descriptors)
    with PlaceMap.open_file(own_map) as opened:
        assert np.array_equal(arrays['tokens'][4], opened.tokens(int(table.ids[4])))
    pictures = list((tmp_path / 'out.utm').iterdir())
    assert len(pictures) == len(table)
    east = sorted(float(path.name.split('@')[1]) for path in pictures)
    assert np.allclose(east, np.sort(table.positions[:, 0]), atol=1e-3)
    assert all(path.name.count('@') == 15 for path in pictures)
    capsys.readouterr()
    assert main(['export', str(own_map), '--format', 'geojson', '--out',
                 str(tmp_path / 'x.json')]) == 1
    assert 'not geo-tagged' in capsys.readouterr().err
    with sqlite3.connect(own_map) as db:
        db.execute('UPDATE place SET latitude = 47.5, longitude = 8.25')
    assert main(['export', str(own_map), '--format', 'geojson', '--out',
                 str(tmp_path / 'x.json')]) == 0
    features = json.loads((tmp_path / 'x.json').read_text())['features']
    assert features[0]['geometry']['coordinates'] == [8.25, 47.5]
    assert len(features) == len(table)


def test_merge_moves_the_second_map(own_map, map_file, tmp_path, capsys):
    out = tmp_path / 'both.vpr'
    assert main(['merge', str(own_map), str(map_file), '--out', str(out),
                 '--transform', '100', '0', '0', '90']) == 0
    table, single = places(out), places(map_file)
    count = len(single)
    assert len(table) == 2 * count
    assert np.allclose(table.positions[:count], single.positions)
    assert np.allclose(table.positions[count:, 0], 100 - single.positions[:, 1])
    assert np.allclose(table.positions[count:, 1], single.positions[:, 0])
    assert np.array_equal(table.descriptors[count:], single.descriptors)
    with PlaceMap.open_file(out) as merged, PlaceMap.open_file(map_file) as original:
        assert merged.thumbnail(count + 3) == original.thumbnail(3)
        assert np.array_equal(merged.tokens(count + 3), original.tokens(3))
        assert merged.match_model() == original.match_model() is not None
        assert load_calibration(merged) is not None
        assert len(merged.sessions()) == 2
    assert main(['verify', str(out)]) == 0
    assert main(['merge', str(own_map), str(map_file), '--out', str(own_map)]) == 1
    assert 'name another file' in capsys.readouterr().err
    with PlaceMap.open_file(own_map, writable=True) as opened:
        opened.set_meta(model_fingerprint='f' * 64, model_name='another')
    assert main(['merge', str(own_map), str(map_file), '--out', str(tmp_path / 'c.vpr')]) == 1
    assert 'with tetra_vits8_2048' in capsys.readouterr().err
    assert main(['merge', str(map_file), str(map_file), '--out', str(out)]) == 1
    assert f'{out} exists: name another file' in capsys.readouterr().err
    assert len(places(out)) == 2 * count  # as it was


def test_prune_by_spacing_and_by_redundance(own_map, tmp_path):
    before = places(own_map)
    out = tmp_path / 'thin.vpr'
    assert main(['prune', str(own_map), '--spacing', '2', '--angle', '60', '--out',
                 str(out)]) == 0
    thin = places(out)
    with PlaceMap.open_file(out) as pruned, PlaceMap.open_file(own_map) as whole:
        kept = int(before.ids[np.flatnonzero(before.stamps == thin.stamps[2])[0]])
        assert np.array_equal(pruned.tokens(3), whole.tokens(kept))
        assert pruned.has_second_look()
    assert 3 < len(thin) < len(before) / 2
    assert np.array_equal(places(own_map).ids, before.ids)
    both = tmp_path / 'both.vpr'
    assert main(['merge', str(own_map), str(out), '--out', str(both)]) == 0
    assert main(['prune', str(both), '--redundant', '0.1', '50']) == 0  # in place
    left = places(both)
    assert len(left) == len(before)  # every place of the second was a copy
    assert main(['verify', str(both)]) == 0
    with pytest.raises(SystemExit):
        main(['prune', str(both)])


def test_import_of_an_exported_folder(own_sparse, tmp_path, capsys):
    folder, again = str(tmp_path / 'folder'), str(tmp_path / 'again.vpr')
    assert main(['export', str(own_sparse), '--format', 'utm', '--out', folder]) == 0
    assert main(['import', folder, '--map', again]) == 0
    assert len(places(again)) == len(places(own_sparse))
    assert main(['verify', again]) == 0
    assert main(['import', folder, '--map', again]) == 1
    assert 'exists' in capsys.readouterr().err


@pytest.fixture(scope='module')
def other_model(tmp_path_factory):
    """Return the shipped model under another name: its fingerprint is another."""
    onnx = pytest.importorskip('onnx', reason='a second model is made with onnx')
    path = tmp_path_factory.mktemp('models') / 'other.onnx'
    model = onnx.load(default_model_path())
    next(p for p in model.metadata_props if p.key == 'name').value = 'other'
    onnx.save(model, path)
    return path


@pytest.mark.parametrize('more, flipped', [([], 0.1), (['--from-bags'], 0.0)])
def test_reencode(own_sparse, other_model, tmp_path, more, flipped, capsys):
    out, before = tmp_path / 'other.vpr', places(own_sparse)
    arguments = ['reencode', str(own_sparse), '--model', str(other_model), *more]
    assert main([*arguments, '--out', str(out)]) == 0
    after = places(out)
    assert np.array_equal(after.positions, before.positions)
    assert np.unpackbits(after.descriptors ^ before.descriptors).mean() <= flipped
    with PlaceMap.open_file(out) as opened:
        assert opened.meta()['model_name'] == 'other'
        assert opened.thumbnail(3)
    assert main(['verify', str(out)]) == 0
    with sqlite3.connect(own_sparse) as db:
        db.execute('DELETE FROM thumbnail WHERE place = 3')
        db.execute('UPDATE place SET stamp_ns = stamp_ns + 1 WHERE id = 4')
    content = own_sparse.read_bytes()
    assert main(arguments) == 1  # in place
    said = capsys.readouterr().err
    assert ('no picture any more of 1 places' if more else 'place 3 has no thumbnail') in said
    assert own_sparse.read_bytes() == content


def test_what_cannot_be_read_is_named(tmp_path, capsys):
    assert main(['info', str(tmp_path / 'none.vpr')]) == 1
    assert 'none.vpr' in capsys.readouterr().err
    (tmp_path / 'text.vpr').write_text('no map')
    assert main(['verify', str(tmp_path / 'text.vpr')]) == 1


def test_an_old_map_gets_its_patch_tokens(own_map, map_file, capsys):
    """A map of before 0.4 has no table for them, and its model said nothing of matches."""
    with sqlite3.connect(own_map) as db:
        db.executescript("DROP TABLE token; DELETE FROM meta WHERE key IN ('token_grid', "
                         "'token_bits', 'match_model')")
    with PlaceMap.open_file(own_map) as old:
        assert not old.has_second_look()
        assert old.tokens(1) is None
    assert main(['info', str(own_map)]) == 0
    assert "'vpr_map reencode' adds them" in capsys.readouterr().out
    assert main(['verify', str(own_map)]) == 0
    assert main(['reencode', str(own_map)]) == 0
    count = len(places(own_map))
    with PlaceMap.open_file(own_map) as new, PlaceMap.open_file(map_file) as built:
        assert new.has_second_look()
        assert new.tokens_size() == (count, 3136 * count)
        # From thumbnails, so not bit for bit what the whole pictures gave.
        assert np.unpackbits(new.tokens(5) ^ built.tokens(5)).mean() < 0.15
    capsys.readouterr()
    assert main(['info', str(own_map)]) == 0
    assert f'patch tokens of {count} places' in capsys.readouterr().out
    assert main(['reencode', str(own_map), '--no-tokens']) == 0
    with PlaceMap.open_file(own_map) as bare:
        assert not bare.has_second_look()


def test_an_export_takes_no_map_and_mixes_no_exports(own_map, tmp_path, capsys):
    before = own_map.read_bytes()
    for form in ('csv', 'tum', 'png', 'npz'):
        assert main(['export', str(own_map), '--format', form, '--out', str(own_map)]) == 1
        assert 'own.vpr is a map and would be lost' in capsys.readouterr().err
    assert own_map.read_bytes() == before
    folder = tmp_path / 'views'
    asked = ['--format', 'utm', '--out', str(folder)]
    for _ in range(2):  # the same again is no other export
        assert main(['export', str(own_map), *asked]) == 0
    names = sorted(file.name for file in folder.iterdir())
    thin = tmp_path / 'thin.vpr'
    assert main(['prune', str(own_map), '--spacing', '2', '--out', str(thin)]) == 0
    assert main(['export', str(thin), *asked]) == 1
    assert 'pictures of another export' in capsys.readouterr().err
    assert sorted(file.name for file in folder.iterdir()) == names


def test_what_is_unfinished_stays_so(own_map, map_file, tmp_path, capsys):
    with sqlite3.connect(own_map) as db:
        db.execute('UPDATE session SET complete = 0')
    thin = tmp_path / 'thin.vpr'
    assert main(['prune', str(own_map), '--spacing', '2', '--out', str(thin)]) == 0
    assert main(['verify', str(thin)]) == 1
    assert 'is not complete' in capsys.readouterr().out
    with PlaceMap.open_file(thin) as pruned, PlaceMap.open_file(own_map) as whole:
        assert pruned.meta()['poses'] == whole.meta()['poses']
    for both in ((own_map, map_file), (map_file, own_map)):
        assert main(['merge', *map(str, both), '--out', str(tmp_path / 'both.vpr')]) == 1
        assert 'finish it with build_map --resume first' in capsys.readouterr().err


@pytest.mark.parametrize('numbers', [('nan', '0', '0', '0'), ('0', '5e12', '0', '0')])
def test_a_transform_that_is_none(own_map, map_file, tmp_path, capsys, numbers):
    assert main(['merge', str(own_map), str(map_file), '--out', str(tmp_path / 'both.vpr'),
                 '--transform', *numbers]) == 1
    assert f'--transform {float(numbers[0]):g} ' in capsys.readouterr().err
