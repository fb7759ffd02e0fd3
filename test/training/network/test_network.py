# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.training.network.place_network import (
    binarize, NetworkConfig, PlaceNetwork)
from tetra_vpr_ros.training.network.rounding import round_layer, round_network
from tetra_vpr_ros.training.network.ternary import absmean_scale, ternary_codes, TernaryLinear
from tetra_vpr_ros.training.network.vit import (
    load_timm_trunk, resample_position_embedding, TernaryViT, ViTConfig)
import torch
from training_data import timm_state


def test_shapes(small_config):
    network = PlaceNetwork(small_config)
    image = torch.randint(0, 255, (3, 56, 56, 3), dtype=torch.uint8)
    tokens = network.tokens(image)
    assert tokens.shape == (3, 17, 48)
    assert network(image).shape == (3, 128)
    assert torch.allclose(network(image)[1], network(image[1:2])[0], atol=1e-4)


def test_sizes_and_impossible_shapes():
    base = ViTConfig(size='base', image_size=322)
    assert (base.width, base.depth, base.heads, base.tokens) == (768, 12, 12, 529)
    wide = ViTConfig(size='tiny', image_size=(160, 224), patch_size=16, depth=3)
    assert (wide.grid, wide.depth, wide.width) == ((10, 14), 3, 192)
    for wrong, text in (({'image_size': 100}, 'image_size 100'), ({'heads': 5}, 'heads 5'),
                        ({'size': 'huge'}, 'tiny, small, base'), ({'norm': 'post'}, 'bitnet')):
        with pytest.raises(ValueError, match=text):
            ViTConfig(**wrong)


@pytest.mark.parametrize('options', [
    {'norm': 'bitnet'}, {'patch_precision': 'ternary', 'last_block_precision': 'int8'},
    {'patch_precision': 'int8', 'last_block_precision': 'float', 'scale_mode': 'tensor'}])
def test_every_option_computes_and_learns(options):
    config = ViTConfig(image_size=(28, 56), width=48, depth=2, heads=3, **options)
    vit = TernaryViT(config)
    maps = []
    tokens = vit(torch.randn(2, 3, 28, 56), maps, 1)
    assert tokens.shape == (2, 9, 48)
    assert [m.shape for m in maps] == [(2, 3, 9, 9)]
    tokens.square().mean().backward()
    assert all(p.grad is not None for name, p in vit.named_parameters())
    norms = sum(isinstance(m, torch.nn.LayerNorm) for m in vit.modules())
    assert norms == (8 if options.get('norm') == 'bitnet' else 4)
    kinds = {type(layer).__name__ for layer in (vit.blocks[0].fc1, vit.blocks[1].fc1,
                                                vit.patch_embed.proj)}
    assert kinds == {'norm': {'TernaryLinear', 'Linear'}}.get(
        next(iter(options)), {'TernaryLinear', 'Int8Linear'} if 'scale_mode' not in options
        else {'TernaryLinear', 'Linear', 'Int8Linear'})


def test_the_patch_embedding_is_the_convolution_that_it_replaces():
    vit = TernaryViT(ViTConfig(image_size=(28, 42), width=48, depth=1, heads=3))
    image = torch.randn(2, 3, 28, 42)
    kernel = vit.patch_embed.proj.weight.reshape(48, 3, 14, 14)
    wanted = torch.nn.functional.conv2d(image, kernel, vit.patch_embed.proj.bias, stride=14)
    assert torch.allclose(vit.patch_embed(image), wanted.flatten(2).transpose(1, 2), atol=1e-4)


def test_sign_passes_its_gradient_only_near_zero():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], requires_grad=True)
    y = binarize(x)
    assert y.tolist() == [-1, -1, -1, 1, 1]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_position_embeddings_are_resampled():
    embedding = torch.randn(1, 1 + 64, 6)
    assert torch.allclose(resample_position_embedding(embedding, (8, 8)), embedding, atol=1e-5)
    assert resample_position_embedding(embedding, (4, 6)).shape == (1, 25, 6)
    with pytest.raises(ValueError, match='not a square'):
        resample_position_embedding(torch.randn(1, 8, 6), (4, 4))


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


def test_a_narrower_feed_forward_keeps_the_hidden_units_with_the_largest_weights():
    network = PlaceNetwork(NetworkConfig(
        ViTConfig(image_size=56, width=48, depth=2, heads=3, mlp_ratio=1)))
    state = timm_state()
    kept = torch.arange(5, 5 + 48)
    state['blocks.0.mlp.fc1.weight'][kept] *= 10
    load_timm_trunk(network.backbone, state)
    block = network.backbone.blocks[0]
    assert torch.equal(block.fc1.weight, state['blocks.0.mlp.fc1.weight'][kept])
    assert torch.equal(block.fc1.bias, state['blocks.0.mlp.fc1.bias'][kept])
    assert torch.allclose(block.fc2.weight, 0.5 * state['blocks.0.mlp.fc2.weight'][:, kept])
    assert torch.allclose(block.fc2.bias, 0.5 * state['blocks.0.mlp.fc2.bias'])


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
        if kind == 'compensated':
            round_network(network.backbone, network.normalise(image))
        outputs[kind] = network.tokens(image).detach()
    errors = {kind: (outputs[kind] - outputs['float']).pow(2).mean() for kind in outputs}
    assert errors['compensated'] < errors['plain']
