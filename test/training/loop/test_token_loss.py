# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.training.loop.token_loss import token_score_loss
import torch

GRID = (6, 6)


def views(places, noise):
    """Return two pictures of each place, the second turned by a cell and noisier."""
    first = torch.randn(places, 36, 32)
    second = torch.roll(first.unflatten(1, GRID), 1, 2).flatten(1, 2)
    second = second + noise * torch.randn_like(second)
    return torch.stack([first, second], 1).flatten(0, 1)


def test_it_is_small_where_the_second_look_finds_every_place():
    labels = torch.arange(4).repeat_interleave(2)
    clear, dim, mixed = (float(token_score_loss(codes, which, GRID, 0.05)) for codes, which in (
        (views(4, 0.1), labels), (views(4, 6.0), labels), (views(4, 0.1), labels.roll(1))))
    assert clear < 0.01 < dim < mixed


def test_steps_along_its_gradient_find_more_places():
    codes = views(6, 5.0).requires_grad_()
    labels = torch.arange(6).repeat_interleave(2)
    losses = []
    optimizer = torch.optim.Adam([codes], 0.05)
    for _ in range(20):
        loss = token_score_loss(codes, labels, GRID, 0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize('labels', [[0, 1, 2, 3], [0, 0, 1, 2]])
def test_places_with_one_picture_say_nothing(labels):
    codes = torch.randn(4, 36, 32, requires_grad=True)
    loss = token_score_loss(codes, torch.tensor(labels), GRID, 0.05)
    loss.backward()
    assert loss.item() == 0.0
    assert not codes.grad.any()
