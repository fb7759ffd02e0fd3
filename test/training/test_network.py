# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.training.network import binarize, grid_pooling, NetworkConfig, PlaceNetwork
from tetra_vpr_ros.training.rounding import round_layer, round_network
from tetra_vpr_ros.training.ternary import absmean_scale, ternary_codes, TernaryLinear
from tetra_vpr_ros.training.vit import load_timm_trunk, resample_position_embedding, ViTConfig
import torch


def test_shapes(small_config):
    network = PlaceNetwork(small_config)
    image = torch.randint(0, 255, (3, 56, 56, 3), dtype=torch.uint8)
    tokens = network.tokens(image)
    assert tokens.shape == (3, 16, 48)
    assert network(image).shape == (3, 128)
    assert torch.allclose(network(image)[1], network(image[1:2])[0], atol=1e-4)


def test_impossible_shapes_are_refused():
    with pytest.raises(ValueError, match='image_size 100'):
        ViTConfig(image_size=100)
    with pytest.raises(ValueError, match='heads 5'):
        ViTConfig(heads=5)
    with pytest.raises(ValueError, match='bits 100'):
        NetworkConfig(bits=100)


def test_sign_passes_its_gradient_only_near_zero():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], requires_grad=True)
    y = binarize(x)
    assert y.tolist() == [-1, -1, -1, 1, 1]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_grid_pooling_averages_each_cell():
    pool = grid_pooling(4, 2)
    tokens = torch.arange(16.0)
    assert torch.allclose(pool @ tokens, torch.tensor([2.5, 4.5, 10.5, 12.5]))
    assert torch.allclose(grid_pooling(14, 4).sum(1), torch.ones(16))


def test_position_embeddings_are_resampled():
    embedding = torch.randn(1, 1 + 64, 6)
    assert torch.allclose(resample_position_embedding(embedding, 8), embedding, atol=1e-5)
    assert resample_position_embedding(embedding, 5).shape == (1, 26, 6)
    with pytest.raises(ValueError, match='not a square'):
        resample_position_embedding(torch.randn(1, 8, 6), 4)


def timm_state(depth=2, width=48, gamma=0.5):
    state = {'patch_embed.proj.weight': torch.randn(width, 3, 14, 14),
             'patch_embed.proj.bias': torch.randn(width),
             'cls_token': torch.randn(1, 1, width), 'pos_embed': torch.randn(1, 26, width)}
    for i in range(depth):
        for name, rows, cols in (('attn.qkv', 3 * width, width), ('attn.proj', width, width),
                                 ('mlp.fc1', 4 * width, width), ('mlp.fc2', width, 4 * width)):
            state[f'blocks.{i}.{name}.weight'] = torch.randn(rows, cols) * 0.05
            state[f'blocks.{i}.{name}.bias'] = torch.randn(rows)
        for name in ('norm1', 'norm2'):
            state[f'blocks.{i}.{name}.weight'] = torch.ones(width)
            state[f'blocks.{i}.{name}.bias'] = torch.zeros(width)
        for name in ('ls1', 'ls2'):
            state[f'blocks.{i}.{name}.gamma'] = torch.full((width,), gamma)
    return state


def test_a_pretrained_trunk_is_loaded_with_its_layer_scale_folded_in(small_config):
    network = PlaceNetwork(small_config)
    state = timm_state()
    load_timm_trunk(network.backbone, state)
    block = network.backbone.blocks[1]
    assert torch.allclose(block.attn.proj.weight, 0.5 * state['blocks.1.attn.proj.weight'])
    assert torch.allclose(block.fc2.bias, 0.5 * state['blocks.1.mlp.fc2.bias'])
    assert torch.equal(block.attn.qkv.weight, state['blocks.1.attn.qkv.weight'])
    del state['blocks.1.norm2.bias']
    with pytest.raises(KeyError, match=r'blocks\.1\.norm2\.bias'):
        load_timm_trunk(network.backbone, state)
    with pytest.raises(ValueError, match=r'patch_embed\.proj\.weight'):
        load_timm_trunk(network.backbone, timm_state(width=24))


def test_compensated_rounding_changes_outputs_less_than_plain_rounding():
    layer = TernaryLinear(64, 32, 'learned')
    torch.nn.init.normal_(layer.weight, std=0.05)
    mixing = torch.randn(64, 64)
    x = torch.randn(2000, 64) @ mixing  # correlated inputs, as in a network
    exact = x @ layer.weight.T
    scale = absmean_scale(layer.weight.data, True)
    plain = x @ (ternary_codes(layer.weight.data, scale) * scale).T
    round_layer(layer, x.T @ x / len(x))
    rounded = x @ (layer.codes().float() * layer.scale()).T
    assert (rounded - exact).pow(2).mean() < 0.6 * (plain - exact).pow(2).mean()


def test_rounding_a_network_keeps_its_answers_closer(small_config):
    image = torch.from_numpy(np.random.default_rng(0).integers(
        0, 255, (24, 56, 56, 3), dtype=np.uint8))
    outputs = {}
    for kind in ('float', 'plain', 'compensated'):
        torch.manual_seed(1)
        network = PlaceNetwork(small_config)
        load_timm_trunk(network.backbone, timm_state(gamma=1.0))
        layers = [m for m in network.modules() if isinstance(m, TernaryLinear)]
        for layer in layers:
            layer.q = float(kind != 'float')
            layer.channel_scale.data = absmean_scale(layer.weight.data, True)
        if kind == 'compensated':
            round_network(network.backbone, network.normalise(image))
        outputs[kind] = network.tokens(image).detach()
    errors = {kind: (outputs[kind] - outputs['float']).pow(2).mean() for kind in outputs}
    assert errors['compensated'] < errors['plain']
