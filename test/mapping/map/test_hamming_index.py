# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from hypothesis import given, settings, strategies
import numpy as np
import pytest
from sample_data import random_descriptors
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances, HammingIndex


def brute_force(query, ids, descriptors):
    distances = np.unpackbits(query ^ descriptors, axis=1).sum(1).astype(int)
    order = np.lexsort((ids, distances))
    return distances[order], ids[order]


@settings(deadline=None, max_examples=60)
@given(strategies.integers(0, 2**32 - 1), strategies.integers(1, 120), strategies.integers(1, 40),
       strategies.integers(1, 8))
def test_search_equals_brute_force_also_among_ties(seed, count, k, variety):
    rng = np.random.default_rng(seed)
    # Few different descriptors make many ties; ids are in no order.
    descriptors = random_descriptors(rng, variety, 64)[rng.integers(0, variety, count)]
    ids = rng.permutation(10 * count)[:count].astype(np.int64)
    index = HammingIndex.build(ids, descriptors)
    queries = random_descriptors(rng, 3, 64)
    distances, found = index.search(queries, k)
    for row, query in enumerate(queries):
        wanted = brute_force(query, ids, descriptors)
        assert np.array_equal(distances[row], wanted[0][:k])
        assert np.array_equal(found[row], wanted[1][:k])


def test_radius_is_inclusive_and_sorted(rng):
    descriptors = random_descriptors(rng, 500, 64)
    ids = np.arange(500)[::-1].copy()
    index = HammingIndex.build(ids, descriptors)
    wanted = brute_force(descriptors[7], ids, descriptors)
    for radius in (0, 20, 30, 64):
        distances, found = index.search_radius(descriptors[7], radius)
        keep = wanted[0] <= radius
        assert np.array_equal(distances, wanted[0][keep])
        assert np.array_equal(found, wanted[1][keep])
    assert len(index.search_radius(descriptors[7], -1)[1]) == 0


def test_adding_in_parts_equals_building_at_once(rng):
    descriptors = random_descriptors(rng, 300)
    whole = HammingIndex.build(np.arange(300), descriptors)
    parts = HammingIndex(256)
    for start in range(0, 300, 77):
        parts.add(np.arange(300)[start:start + 77], descriptors[start:start + 77])
    assert len(parts) == 300
    queries = random_descriptors(rng, 5)
    assert all(np.array_equal(a, b)
               for a, b in zip(whole.search(queries, 9), parts.search(queries, 9)))


def test_empty_index_finds_nothing(rng):
    index = HammingIndex(256)
    distances, ids = index.search(random_descriptors(rng, 2), 5)
    assert distances.shape == ids.shape == (2, 0)
    assert len(index.search_radius(random_descriptors(rng, 1)[0], 256)[0]) == 0


def test_wrong_shapes_types_and_repeated_ids_are_refused(rng):
    for bits in (0, 12, -8):
        with pytest.raises(ValueError, match='multiple of 8'):
            HammingIndex(bits)
    index = HammingIndex(256)
    with pytest.raises(ValueError, match='uint8'):
        index.add(np.arange(2), np.zeros((2, 32), np.int32))
    with pytest.raises(ValueError, match=r'\[n, 32\]'):
        index.search(np.zeros((1, 16), np.uint8), 1)
    with pytest.raises(ValueError, match='as many ids'):
        index.add(np.arange(3), random_descriptors(rng, 2))
    index.add(np.arange(2), random_descriptors(rng, 2))
    with pytest.raises(ValueError, match='twice'):
        index.add(np.array([1]), random_descriptors(rng, 1))


def test_distances_of_all_pairs(rng):
    a, b = random_descriptors(rng, 4), random_descriptors(rng, 6)
    wanted = np.unpackbits(a[:, None] ^ b[None], axis=2).sum(2)
    assert np.array_equal(hamming_distances(a, b), wanted)
