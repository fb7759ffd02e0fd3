# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How patches of one label are related, and what stage 2 makes of it."""

import csv

import numpy as np
import pytest
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.network.place_network import binarize
from tetra_vpr_ros.training.stages.distill import distill
from tetra_vpr_ros.training.stages.finetune import finetune
from tetra_vpr_ros.training.structure.branch import BranchConfig, StructureBranch
from tetra_vpr_ros.training.structure.labelled_sets import open_labelled_sets
from tetra_vpr_ros.training.structure.token_relations import relation_loss, StructuralTokens
import torch


def test_relations_and_not_tokens_are_compared():
    drawn = torch.Generator().manual_seed(0)
    taught = torch.randn(2, 9, 5, generator=drawn)
    turned, _ = torch.linalg.qr(torch.randn(7, 7, generator=drawn))
    # Another space of other dimensions, of the same angles.
    same = torch.nn.functional.pad(taught, (0, 2)) @ turned + 3.0
    labels = torch.zeros(2, 9, dtype=torch.int64)
    assert torch.allclose(relation_loss(same, taught, labels), torch.zeros(2), atol=1e-5)
    other = relation_loss(torch.randn(2, 9, 7, generator=drawn), taught, labels)
    assert (other > 0.3).all()


def test_only_patches_of_one_label_count():
    drawn = torch.Generator().manual_seed(1)
    taught = torch.randn(1, 8, 6, generator=drawn)
    taught = taught - taught.mean(1, keepdim=True)
    codes = torch.cat([taught[:, :4], torch.randn(1, 4, 6, generator=drawn)], 1)
    codes[:, 4:] += (taught[:, 4:].sum(1) - codes[:, 4:].sum(1))[:, None] / 4  # the same mean
    labels = torch.tensor([[0, 0, 0, 0, -1, -1, 2, 3]])
    assert relation_loss(codes, taught, labels) < 1e-5  # the others differ, and do not count
    assert relation_loss(codes, taught, torch.zeros(1, 8, dtype=torch.int64)) > 0.05
    assert relation_loss(codes, taught, torch.tensor([[0, 0, 1, 1, 2, 3, 4, 5]])) == 0  # two pairs
    alike = torch.ones(1, 8, 6, requires_grad=True)
    loss = relation_loss(alike, taught, labels)
    loss.sum().backward()
    assert loss == 0 and torch.isfinite(alike.grad).all()


def test_codes_are_pulled_towards_the_relations():
    drawn = torch.Generator().manual_seed(2)
    taught = torch.randn(1, 12, 4, generator=drawn)
    codes = torch.randn(1, 12, 16, generator=drawn).requires_grad_()
    labels = torch.zeros(1, 12, dtype=torch.int64)
    descent = torch.optim.Adam([codes], 0.05)
    first = relation_loss(binarize(codes), taught, labels).item()
    for _ in range(60):
        descent.zero_grad()
        relation_loss(binarize(codes), taught, labels).sum().backward()
        descent.step()
    assert relation_loss(binarize(codes), taught, labels).item() < first / 2


def test_label_maps_are_cut_as_their_pictures(structured, load):
    config = load(structured)
    sets = open_labelled_sets(config.structure.sets, config.validation.held_out(), held_out=False)
    told = StructuralTokens(StructureBranch(BranchConfig(side=8, width=24, heads=2)), sets, (4, 4))
    name = sets[0].names[0]
    right_half = np.array([[2.0, 0, -1], [0, 1, 0], [0, 0, 1]])
    tokens, labels = told([name, name], [np.eye(3), right_half])
    assert tokens.shape == (2, 16, 24)
    whole, half = labels.reshape(2, 4, 4)
    # A column of the whole is two of its right half, but where labels meet in a patch.
    pairs = [(int(whole[row, 2 + column // 2]), int(half[row, column]))
             for row in range(4) for column in range(4)]
    known = [a == b for a, b in pairs if a >= 0 and b >= 0]
    assert len(known) > 6 and np.mean(known) > 0.8
    others = StructuralTokens(told.branch, sets, (4, 4), np.random.default_rng(0))
    assert any(not torch.equal(others([n], [np.eye(3)])[0], told([n], [np.eye(3)])[0])
               for n in sets[0].names)


def test_stage_2_learns_relations_and_resumes(structured, load, tmp_path):
    structured['structure'].update(loss='tokens', right=50)
    config = load(structured)
    with pytest.raises(ConfigError, match=r'structure\.loss: tokens needs network\.token_bits'):
        finetune(config, config.finetune, config.structure)
    structured['network']['token_bits'] = 32
    structured['distill']['losses']['tokens'] = 1
    structured['finetune']['start'] = {}
    distill(load(structured), load(structured).distill)
    losses = []
    for rate in (0.0, 3e-3):  # the same pictures at each step
        config = load(structured, finetune__optimizer__steps=121, structure__weight=10.0,
                      finetune__optimizer__learning_rate=rate,
                      finetune__optimizer__validate_every=100)
        network = finetune(config, config.finetune, config.structure)
        with (tmp_path / 'run' / 'finetune.csv').open(newline='') as file:
            losses.append([float(row['structure']) for row in csv.DictReader(file)])
        again = finetune(config, config.finetune, config.structure)
        assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters()))
        for left in (tmp_path / 'run').glob('finetune*'):
            left.unlink()
    assert losses[1][0] == losses[0][0] > 0
    half = len(losses[0]) // 2
    assert np.mean(losses[1][half:]) < 0.95 * np.mean(losses[0][half:])
