# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.training.network.aggregation import (
    AggregationConfig, AGGREGATIONS, grid_pooling, Salad)
from tetra_vpr_ros.training.network.place_network import binarize
import torch


@pytest.mark.parametrize('kind', list(AGGREGATIONS))
def test_every_aggregation_gives_bits_and_learns_through_their_signs(kind):
    config = AggregationConfig(kind=kind, bits=256, rows=2, cols=4)
    head = AGGREGATIONS[kind](config, 48, (4, 6))
    tokens = torch.randn(5, 25, 48, requires_grad=True)
    embedding = head(tokens)
    assert embedding.shape == (5, 256)
    assert 0.2 < embedding.std() < 3.0  # the sign's gradient reaches most of it
    binarize(embedding)[:, :10].sum().backward()
    assert tokens.grad.abs().sum() > 0
    for name, parameter in head.named_parameters():
        assert not parameter.requires_grad or parameter.grad is not None, name


@pytest.mark.parametrize('kind', list(AGGREGATIONS))
def test_images_of_a_batch_do_not_touch_each_other(kind):
    head = AGGREGATIONS[kind](AggregationConfig(kind=kind, bits=64, rows=2, cols=2), 48, (4, 4))
    tokens = torch.randn(4, 17, 48)
    assert torch.allclose(head(tokens)[2], head(tokens[2:3])[0], atol=1e-5)


def test_grid_pooling_averages_each_cell():
    tokens = torch.arange(16.0)
    assert torch.allclose(grid_pooling((4, 4), 2, 2) @ tokens,
                          torch.tensor([2.5, 4.5, 10.5, 12.5]))
    assert torch.allclose(grid_pooling((4, 4), 4, 1) @ tokens,
                          torch.tensor([1.5, 5.5, 9.5, 13.5]))
    for softness in (0.0, 0.5):
        matrix = grid_pooling((14, 16), 8, 2, softness)
        assert matrix.shape == (16, 224)
        assert torch.allclose(matrix.sum(1), torch.ones(16))
    assert (grid_pooling((4, 4), 2, 2, 0.5) > 0).all()  # soft windows overlap


def test_sinkhorn_gives_every_token_its_share_and_leaves_some_to_the_dustbin():
    config = AggregationConfig(kind='salad', bits=64, clusters=4)
    head = Salad(config, 48, (5, 5))
    assigned = head.assignment(torch.randn(3, 4, 25))
    assert assigned.shape == (3, 4, 25)
    assert (assigned >= 0).all()
    assert (assigned.sum(1) < 1).all()
    # Columns are exact after the last step, rows nearly: four clusters take four of 25 shares.
    assert torch.allclose(assigned.sum((1, 2)), torch.full((3,), 4.0), rtol=0.3)


@pytest.mark.parametrize(('options', 'text'), [
    ({'bits': 100}, 'bits 100 do not divide over 16 cells'),
    ({'kind': 'gem', 'bits': 12}, 'whole bytes'),
    ({'kind': 'vlad', 'clusters': 3, 'cluster_dims': 5, 'precision': 'ternary'}, 'multiple of 4'),
    ({'kind': 'netvlad'}, 'netvlad')])
def test_impossible_shapes_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        AggregationConfig(**options)
