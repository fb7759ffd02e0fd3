# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from hypothesis import given, strategies
import numpy as np
import pytest
from tetra_vpr_ros.training.structure.sample_weights import (
    best_positive_ranks, GROUPS, partition, sample_weight, SampleWeights)

#        structure, rgb, group
SAMPLES = [(1, 1, 'both'), (5, 5, 'both'), (1, 6, 'structure'), (5, 99, 'structure'),
           (6, 5, 'rgb'), (200, 1, 'rgb'), (6, 6, 'neither'), (40, 300, 'neither')]
X, Y = (np.array([sample[i] for sample in SAMPLES]) for i in (0, 1))


def test_partition_of_known_ranks():
    assert [GROUPS[i] for i in partition(X, Y, 5)] == [name for _, _, name in SAMPLES]


def test_noisy_samples_teach_nothing():
    weight = sample_weight(X, Y, 5)
    assert (weight[4:] == 0).all()
    assert (weight[:4] > 0).all()
    assert weight[2] == pytest.approx(6 / 7)  # the teacher is right at once, RGB far off
    assert weight[0] == pytest.approx(0.5)


@given(strategies.integers(1, 20), strategies.integers(1, 300), strategies.integers(1, 300))
def test_weights_fall_with_the_teachers_rank_and_rise_with_the_students(right, x, y):
    weight = float(sample_weight(x, y, right))
    assert 0 <= weight <= 1
    assert float(sample_weight(x + 1, y, right)) <= weight
    assert float(sample_weight(x, y + 1, right)) >= weight
    assert (weight == 0) == (x > right)


def test_the_weight_fades_smoothly_to_zero():
    x = np.arange(1, 102)
    weight = sample_weight(x, np.full(101, 50), 100)
    assert np.abs(np.diff(weight)).max() < 0.03
    assert weight[-1] == 0
    assert weight[-2] < 0.01


def test_ranks_of_the_best_positive():
    alike = np.array([[9.0, 5.0, 7.0, 6.0, 8.0], [1.0, 9.0, 2.0, 3.0, 3.0]])
    positive = np.array([[False, True, False, True, False], [False, False, True, False, False]])
    usable = np.ones_like(positive)
    usable[0, 0] = usable[1, 1] = False  # the query itself
    # 6 is the best positive of the first: 7 and 8 come before it. Ties count against.
    assert best_positive_ranks(alike, positive, usable).tolist() == [3, 3]
    alike[1, 2] = 3.0
    assert best_positive_ranks(alike, positive, usable).tolist() == [3, 3]


def test_the_table_can_be_read_edited_and_drawn(tmp_path):
    names = [f'image{i}.jpg' for i in range(len(X))]
    weights = SampleWeights.of(names, X, Y, 5)
    assert weights.counts() == {'both': 2, 'structure': 2, 'rgb': 2, 'neither': 2}
    path = tmp_path / 'weights.csv'
    weights.write(path)
    again = SampleWeights.read(path)
    assert again.names == names
    assert np.array_equal(again.groups, weights.groups)
    assert np.allclose(again.weights, weights.weights, atol=1e-6)
    weights.plot(tmp_path / 'weights.png', 5)
    assert (tmp_path / 'weights.png').read_bytes().startswith(b'\x89PNG')
    path.write_text('name,group\nx,both\n')
    with pytest.raises(ValueError, match=r'weights\.csv is no table'):
        SampleWeights.read(path)
