# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Structural knowledge from label maps, in small."""

import csv

import numpy as np
import pytest
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.loop.checkpoint import load_network
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
from tetra_vpr_ros.training.stages.finetune import finetune
from tetra_vpr_ros.training.structure import structural_knowledge as structure
from tetra_vpr_ros.training.structure.labelled_sets import open_labelled_sets
import torch


def training_sets(config):
    return open_labelled_sets(config.structure.sets, config.validation.held_out(),
                              held_out=False)


def test_the_branch_learns_places_and_continues(structured, load):
    config = load(structured)
    sets = training_sets(config)
    branch = structure.train_branch(config, config.structure, sets)
    again = structure.train_branch(config, config.structure, sets)  # is there already
    assert all(torch.equal(a, b) for a, b in zip(branch.parameters(), again.parameters()))
    weights = structure.embed_maps(branch, sets[0])
    assert torch.allclose(weights.norm(dim=1), torch.ones(len(sets[0])), atol=1e-5)
    codes = branch.blocks[0].fc1.codes()
    assert set(codes.unique().tolist()) <= {-1, 0, 1}
    with (open(f'{config.run}/structure.csv', newline='')) as file:
        losses = [float(row['total']) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]


def test_pictures_without_labels_are_their_own_places(structured, load, rendered):
    structured['structure']['sets'][0]['places'] = {
        'kind': 'images', 'path': str(rendered / 'views')}
    structured['structure']['optimizer']['steps'] = 2
    config = load(structured)
    sets = training_sets(config)
    branch = structure.train_branch(config, config.structure, sets)
    weights, _ = structure.rank_samples(PlaceNetwork(config.network), branch, sets, 2, 0)
    assert len(weights.names) == len(sets[0])  # every picture has a positive: itself
    assert weights.structure.max() > 1  # cut, and after two steps, it is not always found
    again, _ = structure.rank_samples(PlaceNetwork(config.network), branch, sets, 2, 0)
    assert np.array_equal(again.structure, weights.structure)


def test_stage_2_with_features_resumes(structured, load, tmp_path):
    """The projection is trained along, and thrown away."""
    structured['structure']['loss'] = 'feature'
    structured['structure']['right'] = 50  # every teacher is right: all pictures are taught
    config = load(structured)
    network = finetune(config, config.finetune, config.structure)
    again = finetune(config, config.finetune, config.structure)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters()))
    state = torch.load(tmp_path / 'run' / 'finetune.pt', weights_only=True)
    assert set(state['structure']) == {'project.weight'}
    assert load_network(tmp_path / 'run' / 'finetune.pt').config == network.config


def test_what_is_missing_is_named(structured, load, tmp_path):
    structured['structure']['sets'][0]['labels'] = str(tmp_path)
    with pytest.raises(ConfigError, match='no label map, the first is .*train segment'):
        training_sets(load(structured))
    del structured['structure']['sets']
    with pytest.raises(ConfigError, match=r'structure\.sets names no data set'):
        training_sets(load(structured))


def test_label_maps_are_not_asked_for_what_is_stored(structured, load, monkeypatch):
    config = load(structured)
    first = structure.prepare(config, config.structure, PlaceNetwork(config.network))
    structured['structure']['loss'] = 'tokens'  # reads them at each step
    config_of_tokens = load(structured)
    known = structure.prepare(config_of_tokens, config_of_tokens.structure,
                              PlaceNetwork(config.network))
    assert known.branch is not None
    assert known.sets
    monkeypatch.setattr(structure, 'open_labelled_sets', None)
    known = structure.prepare(config, config.structure, PlaceNetwork(config.network))
    assert known.branch is None
    assert np.allclose(known.weights.weights, first.weights.weights, atol=1e-6)
    assert known.embeddings.keys() == first.embeddings.keys()
