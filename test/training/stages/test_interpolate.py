# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Weights between those before and after a training."""

import pytest
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.loop.checkpoint import save_atomically
from tetra_vpr_ros.training.network.place_network import network_entry, PlaceNetwork
from tetra_vpr_ros.training.network.ternary import TernaryLinear
from tetra_vpr_ros.training.stages.interpolate import interpolate, InterpolateConfig
import torch


@pytest.fixture
def start(recipe, load, tmp_path):
    """Return a network of a kind whose tokens are kept, and its file."""
    recipe['network']['token_bits'] = 32
    network = PlaceNetwork(load(recipe).network).eval()
    network.token_head.weight.data.normal_()
    path = tmp_path / 'start.pt'
    save_atomically({'config': network_entry(network.config), 'network': network.state_dict()},
                    path)
    return network, path


def trained(recipe, load, network, by=0.03):
    """Return a network as a training may leave it: all weights have moved."""
    other = PlaceNetwork(load(recipe).network).eval()
    state = network.state_dict()
    seeded = torch.Generator().manual_seed(1)
    other.load_state_dict({
        name: state[name] + by * torch.randn(value.shape, generator=seeded)
        if name in state and state[name].shape == value.shape else value
        for name, value in other.state_dict().items()})
    return other


def codes(network):
    return torch.cat([layer.codes().flatten() for layer in network.modules()
                      if isinstance(layer, TernaryLinear)])


def test_the_ends_are_the_networks_themselves(recipe, load, start):
    before, path = start
    after = trained(recipe, load, before)
    for share, end in ((0.0, before), (1.0, after)):
        found = interpolate(InterpolateConfig(str(path), share), after).state_dict()
        assert found.keys() == end.state_dict().keys()
        assert all(torch.equal(found[name], value) for name, value in end.state_dict().items())


def test_codes_that_moved_least_stay(recipe, load, start):
    before, path = start
    after = trained(recipe, load, before)
    half = interpolate(InterpolateConfig(str(path), 0.5), after)
    moved, still = (codes(network) != codes(before) for network in (after, half))
    assert 0 < still.sum() < moved.sum()
    name = 'backbone.blocks.0.attn.proj.weight'
    ends = before.state_dict()[name], after.state_dict()[name]
    assert torch.allclose(half.state_dict()[name], (ends[0] + ends[1]) / 2)
    picture = torch.zeros(1, 56, 56, 3, dtype=torch.uint8)
    assert torch.isfinite(half(picture)).all()


def test_a_training_through_another_aggregation_leaves_the_starts(recipe, load, start):
    before, path = start
    recipe['network']['aggregation'] = {'rows': 1, 'cols': 1, 'bits': 64}
    after = trained(recipe, load, before)
    found = interpolate(InterpolateConfig(str(path), 0.7), after)
    assert found.config.aggregation == before.config.aggregation
    for name, value in before.aggregation.state_dict().items():
        assert torch.equal(found.aggregation.state_dict()[name], value)
    assert not torch.equal(found.norm.weight, before.norm.weight)


def test_ranges_are_measured_anew(recipe, load, start):
    before, path = start
    recipe['network']['vit']['activations'] = 'static'
    found = interpolate(InterpolateConfig(str(path)), trained(recipe, load, before))
    assert found.config.vit.activations == 'token'


@pytest.mark.parametrize('share', [-0.1, 1.1, float('nan')])
def test_a_share_that_is_none(share):
    with pytest.raises(ValueError, match='share must lie in 0..1'):
        InterpolateConfig('start.pt', share)


def test_what_does_not_fit_is_told(recipe, load, start):
    before, path = start
    with pytest.raises(ConfigError, match='interpolate.start names no model'):
        interpolate(InterpolateConfig(), before)
    recipe['network']['vit']['depth'] = 3
    with pytest.raises(ConfigError, match='start.pt has another backbone'):
        interpolate(InterpolateConfig(str(path)), PlaceNetwork(load(recipe).network))
