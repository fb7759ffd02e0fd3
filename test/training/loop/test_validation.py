# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.training.loop.validation import Validation
from tetra_vpr_ros.training.network.place_network import PlaceNetwork


@pytest.fixture
def validation(recipe, load):
    config = load(recipe)
    return Validation.of(config.validation, config.network.vit.input_size)


def test_without_token_codes_the_descriptor_alone_chooses(recipe, load, validation):
    recall = validation(PlaceNetwork(load(recipe).network))
    assert list(recall) == ['binary', 'float', 'chosen', 'binary_0']
    assert recall['chosen'] == recall['binary'] == recall['binary_0']


def test_the_second_look_counts_as_much(recipe, load, validation):
    network = PlaceNetwork(load(recipe, network__token_bits=32).network)
    assert 'second_look' not in validation(network)  # its head is not fitted
    network.token_head.weight.data.normal_()
    recall = validation(network)
    assert recall['chosen'] == (recall['binary'] + recall['second_look']) / 2
    hits = validation.hits(network)['second_look']
    assert hits.mean() == pytest.approx(recall['second_look_0'])
    # In the light that it was mapped in every picture is found by its tokens.
    validation._parts = [(database, database, np.eye(len(database), dtype=bool))
                         for database, _, _ in validation._parts]
    assert validation(network)['second_look'] == 1.0
