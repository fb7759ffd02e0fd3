# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a stage starts from."""

import pytest
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.loop.checkpoint import save_atomically
from tetra_vpr_ros.training.network.place_network import network_entry, PlaceNetwork
from tetra_vpr_ros.training.stages.start import start_network, StartConfig
import torch


def other(recipe, load, nonlinearity):
    recipe['network']['vit']['nonlinearity'] = nonlinearity
    return load(recipe).network


@pytest.mark.parametrize('before, after', [('gelu', 'relu'), ('relu', 'gelu')])
def test_a_relu_is_learned_from_a_gelu_and_not_the_other_way_round(
        recipe, load, tmp_path, before, after):
    torch.manual_seed(0)
    trained, path = PlaceNetwork(other(recipe, load, before)), tmp_path / 'before.pt'
    save_atomically({'config': network_entry(trained.config), 'network': trained.state_dict()},
                    path)
    wanted = other(recipe, load, after)
    if after == 'gelu':
        with pytest.raises(ConfigError, match="before.pt has another backbone: .*'relu'.*'gelu'"):
            start_network(StartConfig(model=str(path)), wanted, 0, None)
        return
    started = start_network(StartConfig(model=str(path)), wanted, 0, None)
    assert started.config.vit.nonlinearity == 'relu'
    for name, value in trained.state_dict().items():
        assert torch.equal(started.state_dict()[name], value)
