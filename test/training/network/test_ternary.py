# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from hypothesis import given, settings, strategies
from hypothesis.extra.numpy import arrays
import numpy as np
import pytest
from tetra_vpr_ros.training.network.packing import pack_ternary, unpack_ternary
from tetra_vpr_ros.training.network.ternary import (
    absmean_scale, Int8Linear, make_linear, quantize_activation, set_ternary_factor, ternary_codes,
    TernaryLinear)
import torch
from torch.nn import functional as F


@settings(deadline=None)
@given(arrays(np.int8, strategies.tuples(strategies.integers(0, 9).map(lambda n: 4 * n),
                                         strategies.integers(1, 17)),
              elements=strategies.integers(-1, 1)))
def test_packing_and_back_is_exact(codes):
    packed = pack_ternary(codes)
    assert packed.nbytes * 4 == codes.nbytes
    assert np.array_equal(unpack_ternary(packed), codes)


def test_what_is_not_ternary_is_refused():
    with pytest.raises(ValueError, match='multiple of 4'):
        pack_ternary(np.zeros((6, 2), np.int8))
    with pytest.raises(ValueError, match='-1, 0 or'):
        pack_ternary(np.full((4, 2), 2, np.int8))


@pytest.mark.parametrize('mode', ['tensor', 'channel', 'learned'])
def test_the_layer_computes_with_ternary_weights_and_int8_inputs(mode):
    layer = TernaryLinear(32, 8, mode)
    x = torch.randn(5, 32)
    scale = layer.scale()
    assert scale.shape == ((1, 1) if mode == 'tensor' else (8, 1))
    codes = layer.codes()
    assert set(codes.unique().tolist()) == {-1, 0, 1}
    rounded = quantize_activation(x)
    levels = rounded / (x.abs().amax(1, keepdim=True) / 127)
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    wanted = F.linear(rounded, codes.float() * scale, layer.bias)
    assert torch.allclose(layer(x), wanted, atol=1e-5)


def test_progressive_factor_fades_the_rounding_in():
    layer = TernaryLinear(32, 8)
    x = torch.randn(5, 32)
    exact = F.linear(x, layer.weight, layer.bias)
    errors = []
    for q in (0.0, 0.3, 0.7, 1.0):
        set_ternary_factor(layer, q)
        errors.append(float((layer(x) - exact).detach().abs().mean()))
    assert errors[0] == 0.0
    assert errors == sorted(errors)


@pytest.mark.parametrize('mode', ['tensor', 'channel', 'learned'])
def test_straight_through_gradients(mode):
    layer = TernaryLinear(16, 4, mode)
    x = torch.randn(3, 16, requires_grad=True)
    upstream = torch.randn(3, 4)
    (layer(x) * upstream).sum().backward()
    # To the latent weight, as if it had not been rounded.
    assert torch.allclose(layer.weight.grad, upstream.T @ quantize_activation(x.detach()),
                          atol=1e-5)
    assert torch.allclose(x.grad, upstream @ (layer.codes().float() * layer.scale()).detach(),
                          atol=1e-5)
    if mode == 'learned':
        assert layer.channel_scale.grad.abs().sum() > 0


def test_absmean_and_codes_by_hand():
    weight = torch.tensor([[0.1, -0.9, 0.5, -0.1], [2.0, 2.0, -2.0, 0.0]])
    assert absmean_scale(weight, False).item() == pytest.approx(7.6 / 8)
    assert torch.allclose(absmean_scale(weight, True), torch.tensor([[0.4], [1.5]]))
    assert ternary_codes(weight, absmean_scale(weight, True)).tolist() == [
        [0, -1, 1, 0], [1, 1, -1, 0]]
    with pytest.raises(ValueError, match='scale_mode'):
        TernaryLinear(4, 4, 'row')


def test_int8_layers_use_seven_bits_and_a_scale_per_channel():
    layer = Int8Linear(32, 8)
    codes = layer.codes()
    assert codes.abs().amax(1).eq(63).all()
    x = torch.randn(5, 32)
    wanted = F.linear(quantize_activation(x), codes.float() * layer.scale(), layer.bias)
    assert torch.allclose(layer(x), wanted, atol=1e-5)
    assert (layer.codes().float() * layer.scale() - layer.weight).abs().max() < layer.scale().max()


def test_a_layer_is_made_by_its_precision():
    kinds = {name: type(make_linear(4, 4, name)).__name__ for name in ('ternary', 'int8', 'float')}
    assert kinds == {'ternary': 'TernaryLinear', 'int8': 'Int8Linear', 'float': 'Linear'}
    with pytest.raises(ValueError, match='int4'):
        make_linear(4, 4, 'int4')
