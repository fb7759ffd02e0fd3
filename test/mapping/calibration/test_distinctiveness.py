# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
from sample_data import walk_descriptors
from tetra_vpr_ros.mapping.calibration import calibrate
from tetra_vpr_ros.mapping.calibration.distinctiveness import distinctiveness
from tetra_vpr_ros.mapping.map.places import PlaceTable


def street(count, alike=()):
    descriptors = walk_descriptors(np.random.default_rng(8), count)
    for a, b in alike:
        descriptors[b] = descriptors[a]
    positions = np.zeros((count, 3))
    positions[:, 0] = np.arange(count)
    return PlaceTable(np.arange(1, count + 1), np.ones(count, int), np.arange(count), positions,
                      np.tile([0.0, 0.0, 0.0, 1.0], (count, 1)), np.full((count, 3), np.nan),
                      descriptors)


def test_a_planted_pair_is_found_among_distinct_places():
    table = street(300, [(50, 200)])
    found = distinctiveness(table, np.arange(300), calibrate(table))
    assert set(np.flatnonzero(found == found.min())) >= {50, 200}
    assert found[50] == 0.0
    beside = [*range(45, 56), *range(195, 206)]  # they look like the other's neighbours
    assert found.max() <= 1.0
    assert np.delete(found, beside).min() > 0.3


def test_what_lies_near_is_the_same_place_however_alike_it_looks():
    table = street(300, [(50, 52)])
    found = distinctiveness(table, np.arange(300), calibrate(table))
    assert found[[50, 52]].min() > 0.3


def test_of_a_large_map_an_even_choice_is_compared(monkeypatch):
    from tetra_vpr_ros.mapping.calibration import distinctiveness as module
    table = street(400, [(0, 399)])  # the ends are always chosen
    compared = []
    original = module.hamming_distances

    def counted(a, b):
        compared.append(len(a) * len(b))
        return original(a, b)

    monkeypatch.setattr(module, 'hamming_distances', counted)
    monkeypatch.setattr(module, '_PAIRS', 4000)
    monkeypatch.setattr(module, '_AT_ONCE', 500)
    found = distinctiveness(table, np.arange(0, 400, 4), calibrate(table))
    assert found.shape == (100,)
    assert sum(compared) <= 4000
    assert max(compared) <= 600
    assert found[0] == 0.0
    assert (found[1:] > 0.2).all()
