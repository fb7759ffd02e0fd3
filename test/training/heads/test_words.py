# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.heads.words import (
    fit_projection, fit_vocabulary, fit_words, WordConfig)
from tetra_vpr_ros.training.network.aggregation import AggregationConfig, VladHead
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
import torch

SMALL = {'words': 2, 'channels': 4, 'bits': 8}


@pytest.fixture
def network(recipe, load):
    recipe['network']['token_bits'] = 32
    return PlaceNetwork(load(recipe).network).eval()


def fitted(recipe, load, network, **keys):
    config = load(recipe)
    return fit_words(config, config.distill, WordConfig(**{**SMALL, **keys}), network)


def test_only_the_aggregation_is_new(recipe, load, network):
    found = fitted(recipe, load, network)
    assert isinstance(found.aggregation, VladHead)
    assert found.config == replace(network.config, aggregation=AggregationConfig(
        kind='vlad', bits=8, clusters=2, cluster_dims=4, precision='ternary'))
    before, after = network.state_dict(), found.state_dict()
    kept = [name for name in before if not name.startswith('aggregation.')]
    assert 'token_head.weight' in kept
    assert all(torch.equal(after[name], before[name]) for name in kept)


def test_a_fit_can_be_repeated(recipe, load, network):
    first, second, fewer = (fitted(recipe, load, network, images=count).state_dict()
                            for count in (100, 100, 10))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first['aggregation.words'], fewer['aggregation.words'])


def test_the_vocabulary_is_of_the_first_pictures_and_the_projection_of_all(recipe, load, network):
    # Pictures are shown by sixteens.
    one, other = (fitted(recipe, load, network, images=images, vocabulary=10).state_dict()
                  for images in (17, 22))
    assert torch.equal(one['aggregation.words'], other['aggregation.words'])
    assert not torch.equal(one['aggregation.project.bias'], other['aggregation.project.bias'])


def clustered(count=400, tokens=30, width=6):
    """Pictures of patches of three kinds, and the share of them that each kind has."""
    seeded = torch.Generator().manual_seed(3)
    kinds = torch.eye(3, width) * 8
    which = torch.randint(3, (count, tokens), generator=seeded)
    patches = kinds[which] + torch.randn(count, tokens, width, generator=seeded)
    return torch.cat([patches[:, :1], patches], 1)


def head_of(tokens, words=3, channels=6, bits=16, precision='float'):
    head = VladHead(AggregationConfig(kind='vlad', bits=bits, clusters=words,
                                      cluster_dims=channels, precision=precision),
                    tokens.shape[2], (5, 6)).eval()
    with torch.no_grad():
        fit_vocabulary(head, tokens, WordConfig(words, channels, bits, sharpness=2.0), 0)
    return head


def test_words_are_the_kinds_of_patches():
    tokens = clustered()
    head = head_of(tokens)
    x = head.reduced(tokens).flatten(0, 1).detach()
    assert float(x.std()) == pytest.approx(1, abs=0.05)
    nearest = torch.cdist(x, head.words).min(1).values
    means = torch.cdist(head.words, head.words)[~torch.eye(3, dtype=torch.bool)]
    assert nearest.median() < 0.5 * means.min()


def test_where_a_patch_lies_and_what_light_falls_on_all_is_not_told():
    tokens = clustered(count=20)
    head = head_of(clustered())
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    moved = torch.cat([tokens[:, :1], tokens[:, 1:][:, order]], 1)
    brighter = tokens + torch.linspace(-3, 3, 6)
    for other in (moved, brighter):
        assert torch.allclose(head.residuals(tokens), head.residuals(other), atol=1e-4)


@torch.no_grad()
def test_bits_are_even_and_rounding_keeps_most_of_them():
    tokens = clustered()
    signs = {}
    for precision in ('float', 'ternary'):
        head = head_of(tokens, channels=4, bits=8, precision=precision)
        residuals = head.residuals(tokens)
        fit_projection(head, residuals, 0.5, 0)
        signs[precision] = head.project(residuals) > 0
        assert signs[precision].float().mean(0).sub(0.5).abs().max() < 0.15
    assert (signs['float'] == signs['ternary']).float().mean() > 0.75


@pytest.mark.parametrize('keys, text', [
    ({'bits': 16}, '16 bits are more than 2 words with 4 channels tell apart'),
    ({'channels': 64, 'bits': 8}, 'words.channels: 64 are more than the 48 of a token'),
    ({'images': 7}, '7 pictures are not held out; 2 words with 4 channels need more than 8')])
def test_shapes_that_cannot_be(recipe, load, network, keys, text):
    with pytest.raises(ConfigError, match=text):
        fitted(recipe, load, network, **keys)
