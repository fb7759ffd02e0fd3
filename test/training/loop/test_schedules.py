# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.training.loop.optimizer import OptimizerConfig
from tetra_vpr_ros.training.loop.schedules import learning_rate_factor, progressive_factor


def test_the_progressive_factor():
    assert progressive_factor(0.0) < 0.003
    assert progressive_factor(6 / 16) == pytest.approx(0.5)
    assert progressive_factor(1.0) > 0.999
    assert progressive_factor(0.25, 'linear') == 0.25
    assert progressive_factor(0.5, 'cosine') == pytest.approx(0.5)
    assert progressive_factor(0.0, 'none') == 1.0
    with pytest.raises(ValueError, match='steps'):
        progressive_factor(0.5, 'steps')


def test_the_learning_rate():
    linear = OptimizerConfig(warmup=10, decay=0.5)
    assert learning_rate_factor(0, 100, linear) == pytest.approx(0.1)
    assert learning_rate_factor(30, 100, linear) == 1.0
    assert learning_rate_factor(75, 100, linear) == pytest.approx(0.5)
    cosine = OptimizerConfig(warmup=1, schedule='cosine')
    assert learning_rate_factor(50, 100, cosine) == pytest.approx(0.5)
    assert learning_rate_factor(99, 100, OptimizerConfig(schedule='constant')) == 1.0
