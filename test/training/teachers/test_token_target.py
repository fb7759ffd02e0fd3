# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.training.teachers.token_target import fit_token_target
import torch


def tokens_of(cache):
    return torch.from_numpy(cache.tokens[:32, 0].astype(np.float32))


def test_codes_are_about_the_pictures_mean_and_of_unit_variance(cache):
    tokens = tokens_of(cache)
    codes = fit_token_target(cache, np.arange(32), 32)(tokens)
    assert codes.shape == (*tokens.shape[:2], 32)
    assert codes.mean(1).abs().max() < 1e-4
    assert codes.square().mean().sqrt() == pytest.approx(1.0, abs=0.05)
    light = fit_token_target(cache, np.arange(32), 32)(tokens + torch.randn(32, 1, 32))
    assert torch.allclose(light, codes, atol=1e-4)


def test_whitening_evens_what_the_bits_tell(cache):
    tokens = tokens_of(cache)

    def spread(whitening):
        codes = fit_token_target(cache, np.arange(32), 16, whitening)(tokens).flatten(0, 1)
        values = torch.linalg.eigvalsh(codes.T @ codes)
        return float(values[-1] / values[0])

    assert spread(1.0) == pytest.approx(1.0, abs=0.05)
    assert spread(0.0) == pytest.approx(spread(0.5) ** 2, rel=0.1)


def test_the_rotation_is_drawn_by_the_seed(cache):
    first, again, other = (fit_token_target(cache, np.arange(32), 16, seed=seed).matrix
                           for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_more_bits_than_the_cache_has_numbers(cache):
    with pytest.raises(ValueError, match=r'64 are more than the 32 .*distill\.teacher\.dims'):
        fit_token_target(cache, np.arange(32), 64)
