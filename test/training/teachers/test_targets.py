# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.training.network.aggregation import AggregationConfig
from tetra_vpr_ros.training.teachers.targets import fit_target, ridge_regression
import torch


def test_the_target_is_centred_and_has_unit_variance(cache):
    rows = np.arange(32)
    target = fit_target(cache, rows, AggregationConfig(rows=2, cols=2, bits=128))
    tokens = torch.from_numpy(cache.tokens[:32, 0].astype(np.float32))
    wanted = target(tokens)
    assert wanted.shape == (32, 128)
    assert wanted.mean(0).abs().max() < 1e-3
    assert wanted.std() == pytest.approx(1.0, abs=0.05)
    with pytest.raises(ValueError, match='need 64 teacher dimensions'):
        fit_target(cache, rows, AggregationConfig(rows=2, cols=2, bits=256))


def test_ridge_regression_finds_a_linear_map():
    x, weight, bias = torch.randn(500, 6), torch.randn(3, 6), torch.randn(3)
    found, shift = ridge_regression(x, x @ weight.T + bias, ridge=1e-6)
    assert torch.allclose(found, weight, atol=1e-3)
    assert torch.allclose(shift, bias, atol=1e-3)
