# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest
from sample_data import noisy, random_descriptors, walk_descriptors
from tetra_vpr_ros.mapping.map import cell_building
from tetra_vpr_ros.mapping.map.cell_building import open_cells
from tetra_vpr_ros.mapping.map.cell_index import CellIndex, index_of
from tetra_vpr_ros.mapping.map.hamming_index import HammingIndex
from tetra_vpr_ros.mapping.map.map_error import MapError

BITS = 256


@pytest.fixture
def way(rng):
    """Return ids in no order and descriptors of a long way."""
    return rng.permutation(90_000)[:3000].astype(np.int64), walk_descriptors(rng, 3000, BITS, 0.1)


def test_all_cells_together_find_what_a_flat_search_finds(way, rng):
    cells, flat = CellIndex.build(*way, compared=1.0), HammingIndex.build(*way)
    queries = np.concatenate([random_descriptors(rng, 5, BITS), way[1][:5]])
    for k in (1, 7, 5000):
        for found, wanted in zip(cells.search(queries, k), flat.search(queries, k)):
            assert np.array_equal(found, wanted)
    for radius in (-1, 0, 90, BITS):
        for found, wanted in zip(cells.search_radius(way[1][9], radius),
                                 flat.search_radius(way[1][9], radius)):
            assert np.array_equal(found, wanted)


def test_ties_are_ordered_by_id(rng):
    descriptors = random_descriptors(rng, 3, BITS)[rng.integers(0, 3, 400)]
    ids = rng.permutation(400).astype(np.int64)
    cells, flat = CellIndex.build(ids, descriptors, compared=1.0), HammingIndex.build(
        ids, descriptors)
    for found, wanted in zip(cells.search(descriptors[:4], 50), flat.search(descriptors[:4], 50)):
        assert np.array_equal(found, wanted)


def test_some_of_the_cells_find_nearly_all(way, rng):
    cells, flat = CellIndex.build(*way, compared=0.3), HammingIndex.build(*way)
    rows = rng.integers(0, 3000, 100)
    queries = np.stack([noisy(rng, way[1][row], 0.1) for row in rows])
    found, wanted = cells.search(queries, 10)[1], flat.search(queries, 10)[1]
    assert np.mean([len(set(a) & set(b)) for a, b in zip(found, wanted)]) > 8.5
    assert np.mean(found[:, 0] == wanted[:, 0]) > 0.97
    few = CellIndex.build(*way, compared=0.01).search(queries, 10)[1]
    assert np.mean([len(set(a) & set(b)) for a, b in zip(few, wanted)]) < 8.5
    assert few.shape == (100, 10)


def test_what_is_added_is_found_and_no_id_comes_twice(way, rng):
    ids, descriptors = way
    cells = CellIndex.build(ids[:2000], descriptors[:2000], compared=0.05)
    cells.add(ids[2000:], descriptors[2000:])
    assert len(cells) == 3000
    assert cells.search(descriptors[2500:2501], 3)[1][0, 0] == ids[2500]
    assert cells.search_radius(descriptors[2500], 0)[1].tolist() == [ids[2500]]
    for again in (ids[:1], ids[2000:2001]):
        with pytest.raises(ValueError, match='twice'):
            cells.add(again, descriptors[:1])


def test_a_build_that_was_stopped_goes_on_where_it_was(way, tmp_path, monkeypatch):
    monkeypatch.setattr(cell_building, '_BLOCK', 500)
    saved, allowed, save = [], [0], cell_building._save

    def save_or_stop(path, array):
        if len(saved) == allowed[0]:
            raise KeyboardInterrupt
        saved.append(path.name)
        save(path, array)

    monkeypatch.setattr(cell_building, '_save', save_or_stop)
    parts = []
    for count in (0, 1, 2, 0, 3, 1, 1, 1, 1):  # of six blocks, ids, centres and starts
        saved.clear()
        allowed[0] = count
        done = len(list((tmp_path / 'cells').glob('part_*.npy')))
        with pytest.raises(KeyboardInterrupt):
            CellIndex.build(*way, tmp_path / 'cells')
        with pytest.raises(MapError, match='not built to their end'):
            open_cells(tmp_path / 'cells')
        parts.append(done)
    assert parts == [0, 0, 1, 3, 3, 6, 6, 6, 6]  # no block is made twice
    saved.clear()
    allowed[0] = -1
    CellIndex.build(*way, tmp_path / 'cells')
    assert saved == ['ids.npy.new', 'centres.npy.new', 'starts.npy.new']
    assert not list((tmp_path / 'cells').glob('part_*'))
    stopped = CellIndex.open_folder(tmp_path / 'cells', compared=0.2)
    whole = CellIndex.build(*way, compared=0.2)
    assert isinstance(stopped._cells.descriptors, np.memmap)
    for found, wanted in zip(stopped.search(way[1][:20], 5), whole.search(way[1][:20], 5)):
        assert np.array_equal(found, wanted)
    saved.clear()
    allowed[0] = 0
    CellIndex.build(*way, tmp_path / 'cells')  # it is there: nothing is written


def test_folders_of_others_are_left_alone(way, tmp_path):
    (tmp_path / 'photo.jpg').touch()
    with pytest.raises(MapError, match='no folder of cells'):
        CellIndex.build(*way, tmp_path)
    folder = tmp_path / 'cells'
    CellIndex.build(*way, folder)
    with pytest.raises(MapError, match='other places'):
        CellIndex.build(way[0], way[1][::-1].copy(), folder)
    with pytest.raises(MapError, match='other places'):
        CellIndex.build(way[0] + 1, way[1], folder)
    (folder / 'places.json').write_text('{')
    with pytest.raises(MapError, match='other places'):
        CellIndex.build(*way, folder)
    with pytest.raises(MapError, match='cannot be written'):
        CellIndex.build(*way, tmp_path / 'photo.jpg')


def test_damaged_cells_are_told(way, tmp_path):
    CellIndex.build(*way, tmp_path / 'cells')
    starts = np.load(tmp_path / 'cells' / 'starts.npy')
    np.save(tmp_path / 'cells' / 'starts.npy', starts[:-1])
    with pytest.raises(MapError, match='do not fit each other'):
        CellIndex.open_folder(tmp_path / 'cells')
    (tmp_path / 'cells' / 'ids.npy').write_bytes(b'no array')
    with pytest.raises(MapError, match='build them again'):
        CellIndex.open_folder(tmp_path / 'cells')
    assert json.loads((tmp_path / 'cells' / 'places.json').read_text())['places'] == 3000


def test_wrong_shapes_are_refused(way):
    with pytest.raises(ValueError, match='at least one'):
        CellIndex.build(way[0][:0], way[1][:0])
    with pytest.raises(ValueError, match='uint8'):
        CellIndex.build(way[0], way[1].astype(np.int32))
    with pytest.raises(ValueError, match='each once'):
        CellIndex.build(np.zeros(3000, np.int64), way[1])
    with pytest.raises(ValueError, match='uint8'):
        CellIndex.build(*way).search(np.zeros((1, 3), np.uint8), 1)


def test_the_size_of_a_map_chooses_the_index(way, tmp_path):
    assert isinstance(index_of(*way), HammingIndex)
    large = index_of(*way, tmp_path / 'cells', many=1000)
    assert isinstance(large, CellIndex)
    assert large.search(way[1][:1], 1)[1][0, 0] == way[0][0]
