# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.heads.tokens import fit_tokens, TokenConfig, TokenMoments
from tetra_vpr_ros.training.network.place_network import NetworkConfig, PlaceNetwork
import torch


@pytest.fixture
def network(recipe, load):
    return PlaceNetwork(load(recipe).network).eval()


def fitted(recipe, load, network, bits=32, **keys):
    recipe['network']['token_bits'] = bits
    config = load(recipe)
    return fit_tokens(config, config.distill, TokenConfig(**keys), network)


def test_only_the_head_of_the_tokens_is_new(recipe, load, network):
    found = fitted(recipe, load, network)
    before, after = network.state_dict(), found.state_dict()
    assert after.keys() - before.keys() == {'token_head.weight'}
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert found.token_head.fitted
    assert found.config == replace(network.config, token_bits=32)


def test_a_fit_can_be_repeated(recipe, load, network):
    first, second = (fitted(recipe, load, network).token_head.weight for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, fitted(recipe, load, network, images=8).token_head.weight)


def test_the_head_tells_what_the_teacher_tells():
    """A student whose tokens are the teacher's, turned, and a few that say nothing."""
    seeded = torch.Generator().manual_seed(0)
    teacher = torch.randn(20, 30, 8, generator=seeded) * torch.arange(1, 9)
    turn, _ = torch.linalg.qr(torch.randn(8, 8, generator=seeded))
    offset = 5 * torch.randn(20, 1, 12, generator=seeded)  # of a picture: its light
    noise = torch.randn(20, 30, 4, generator=seeded)
    student = torch.cat([teacher @ turn, noise], 2) + offset
    moments = TokenMoments.empty(12, 8)
    for part in range(0, 20, 5):
        moments.add(student[part:part + 5], teacher[part:part + 5])
    out = student @ moments.head(8, TokenConfig(ridge=1e-6), seed=1).T
    out = out - out.mean(1, keepdim=True)
    # Of the eight numbers each depends on the teacher alone, and all eight tell it whole.
    centred = (teacher - teacher.mean(1, keepdim=True)).flatten(0, 1)
    back = torch.linalg.lstsq(out.flatten(0, 1), centred).solution
    assert (out.flatten(0, 1) @ back - centred).abs().max() < 1e-2


def test_whitening_evens_the_axes():
    tokens = torch.randn(50, 40, 6) * torch.tensor([9.0, 3.0, 1.0, 1.0, 1.0, 0.3])
    moments = TokenMoments.empty(6, 6)
    moments.add(tokens, tokens)

    def spread(whitening):
        weight = moments.head(6, TokenConfig(ridge=1e-9, whitening=whitening), 0).double()
        values = torch.linalg.eigvalsh(weight @ moments.student @ weight.T)
        return float(values[-1] / values[0])

    assert spread(0.0) == pytest.approx(900, rel=0.3)
    assert spread(0.5) == pytest.approx(30, rel=0.3)
    assert spread(1.0) == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize('bits, text', [
    (0, 'network.token_bits is 0'), (2048, 'more than the 48 that'), (12, 'multiple of 8')])
def test_bits_that_cannot_be(recipe, load, network, bits, text):
    with pytest.raises(ConfigError, match=text):
        fitted(recipe, load, network, bits)


def test_pictures_that_cannot_be(recipe, load, network, tmp_path):
    (tmp_path / 'bad').mkdir()
    (tmp_path / 'bad' / 'a.png').write_bytes(b'no picture')
    recipe['distill']['images'] = {str(tmp_path / 'bad'): 1}
    with pytest.raises(ConfigError, match='none of 1 pictures of distill.images decodes'):
        fitted(recipe, load, network)
    recipe['distill']['images'] = {}
    with pytest.raises(ConfigError, match='names no pictures'):
        fitted(recipe, load, network)


def test_a_network_without_a_fit_is_not_exported():
    from tetra_vpr_ros.training.onnx_export.export import build_onnx
    config = NetworkConfig(token_bits=32)
    with pytest.raises(ValueError, match="run 'train tokens'"):
        build_onnx(PlaceNetwork(config), {})
