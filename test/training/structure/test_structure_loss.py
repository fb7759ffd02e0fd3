# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
from tetra_vpr_ros.training.network.aggregation import AggregationConfig
from tetra_vpr_ros.training.network.place_network import NetworkConfig
from tetra_vpr_ros.training.structure.loss import StructureLoss
from tetra_vpr_ros.training.structure.sample_weights import SampleWeights
from tetra_vpr_ros.training.structure.structural_knowledge import Knowledge
from tetra_vpr_ros.training.structure.structure_config import StructureConfig
import torch
from torch.nn import functional as F


def student(bits):
    return NetworkConfig(aggregation=AggregationConfig(rows=1, cols=1, bits=bits))


def knowledge(names=('a', 'b', 'c', 'd'), weights=(1.0, 0.5, 0.0, 1.0)):
    teacher = F.normalize(torch.randn(len(names), 8, generator=torch.Generator().manual_seed(1)))
    ranks = np.ones(len(names), int)
    return Knowledge(SampleWeights(list(names), ranks, ranks, np.zeros(len(names), int),
                                   np.array(weights)), dict(zip(names, teacher)))


def test_only_weighted_pictures_are_pulled():
    known = knowledge()
    embeddings = known.embeddings
    term = StructureLoss(known, student(16), StructureConfig(loss='feature'), 0)
    seen = torch.randn(5, 16, requires_grad=True)
    loss = term(['a', 'b', 'c', 'd', 'without'], seen, seen.sign(), torch.arange(5))
    unit = F.normalize(term.project(seen))
    wanted = sum(w * (unit[i] - embeddings[n]).square().sum()
                 for i, (n, w) in enumerate(zip('abcd', (1.0, 0.5, 0.0, 1.0)))) / 5
    assert torch.allclose(loss, wanted)
    loss.backward()
    moved = seen.grad.abs().sum(1)
    assert (moved[[0, 1, 3]] > 0).all()
    assert (moved[[2, 4]] == 0).all()


def test_margins_that_are_large_enough_are_left_alone():
    names = ['a', 'b', 'c', 'd']
    apart = torch.eye(2).repeat_interleave(2, 0)  # two places, far apart
    teacher = dict(zip(names, F.normalize(apart + 0.2)))
    term = StructureLoss(replace(knowledge(names, (1.0,) * 4), embeddings=teacher), student(8),
                         StructureConfig(), 0)
    labels = torch.tensor([0, 0, 1, 1])
    assert term(names, apart, apart, labels) == 0  # wider than the teacher's
    mixed = torch.tensor([[1.0, 1], [1, -1], [1, 1], [1, -1]])
    assert term(names, mixed, mixed, labels) > 0.5
    assert term(['x', 'y'], mixed[:2], mixed[:2], labels[:2]) == 0  # nobody knows them


def test_controls_change_who_says_what():
    known = knowledge(tuple('abcdefgh'), tuple(np.linspace(0, 1, 8)))
    true, shuffled, random = (
        StructureLoss(known, student(8), StructureConfig(control=c), 3)
        for c in ('true', 'shuffled', 'random'))
    assert true._weight == shuffled._weight
    assert not torch.equal(true.values, shuffled.values)
    assert torch.equal(true.values.sort(0).values, shuffled.values.sort(0).values)
    assert torch.equal(true.values, random.values)
    assert sorted(true._weight.values()) == sorted(random._weight.values())
    assert true._weight != random._weight
