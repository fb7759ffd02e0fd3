# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.mapping.map.token_comparison import TokenComparison
from tetra_vpr_ros.training.network.token_score import token_scores
import torch


def signs(*shape):
    return torch.where(torch.rand(shape) > 0.5, 1.0, -1.0)


def packed(codes):
    return np.packbits(codes.numpy() > 0, axis=-1, bitorder='little')


@pytest.mark.parametrize('grid', [(14, 14), (6, 9), (2, 3)])
def test_trained_is_what_the_localizer_compares(grid):
    queries, places = signs(3, grid[0] * grid[1], 64), signs(5, grid[0] * grid[1], 64)
    shifted = torch.roll(queries[1].unflatten(0, grid), (1, -2), (0, 1))
    places[2] = shifted.flatten(0, 1)
    compare = TokenComparison(grid)
    wanted = np.stack([compare(packed(query), packed(places)).scores for query in queries])
    found = (token_scores(queries, places, grid) + 1) / 2
    assert found.numpy() == pytest.approx(wanted, abs=1e-5)


def test_the_gradient_brings_shifted_pictures_together():
    place = torch.randn(1, 36, 16)
    query = (torch.roll(place.unflatten(1, (6, 6)), 1, 2).flatten(1, 2)
             + torch.randn(1, 36, 16)).requires_grad_()
    before = token_scores(query, place, (6, 6))
    before.sum().backward()
    after = token_scores(query + query.grad, place, (6, 6))
    assert after.item() > before.item()
    exact = query.detach().double().requires_grad_()
    assert torch.autograd.gradcheck(lambda q: token_scores(q, place.double(), (6, 6)), exact)
