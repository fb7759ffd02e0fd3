# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.training.loop.token_loss import token_point_loss, token_score_loss
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


def turned(noise):
    """Return codes of two views, the second a cell further left, and the cells they share."""
    first = torch.randn(36, 32)
    second = torch.roll(first.unflatten(0, GRID), -1, 1).flatten(0, 1)
    cells = torch.arange(36).reshape(GRID).roll(1, 1)
    cells[:, 0] = -1
    return (torch.stack([first, second + noise * torch.randn_like(second)]),
            torch.tensor([[0, 1]]), cells.reshape(1, 36))


def test_it_is_small_where_patches_find_the_same_point():
    codes, pairs, shared = turned(0.1)
    right = token_point_loss(codes, pairs, shared, GRID, 0.05)
    wrong = token_point_loss(codes, pairs, shared.roll(7, 1), GRID, 0.05)
    noisy = token_point_loss(turned(6.0)[0], pairs, shared, GRID, 0.05)
    assert right < 0.01 < noisy
    assert right < 0.01 < wrong


def test_a_neighbour_of_the_right_patch_is_no_wrong_one():
    codes, pairs, shared = turned(0.1)
    one = torch.full_like(shared, -1)
    one[0, 14] = shared[0, 14]
    for far in (False, True):
        copied = codes.clone()
        copied[1, int(one[0, 14]) + (3 if far else 1)] = 2 * codes[0, 14]
        loss = float(token_point_loss(copied, pairs, one, GRID, 0.05))
        assert (loss > 1) == far


def test_points_that_no_other_view_shows_say_nothing():
    codes = torch.randn(2, 36, 32, requires_grad=True)
    for pairs, shared in ((torch.tensor([[0, 1]]), torch.full((1, 36), -1)),
                          (torch.empty(0, 2, dtype=torch.int64),
                           torch.empty(0, 0, dtype=torch.int64))):
        loss = token_point_loss(codes, pairs, shared, GRID, 0.05)
        loss.backward()
        assert loss.item() == 0.0
        assert not codes.grad.any()
