# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest

try:
    import safetensors  # noqa: F401
    import torch
except ImportError:  # the reason is in the report's header
    collect_ignore_glob = ['test_*.py']


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def small_config():
    from tetra_vpr_ros.training.network import NetworkConfig
    from tetra_vpr_ros.training.vit import ViTConfig
    return NetworkConfig(ViTConfig(image_size=56, patch_size=14, width=48, depth=2, heads=3),
                         cells=2, bits=128, teacher_dims=32)
