# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from sample_data import walk_descriptors
from worlds import BITS


@pytest.fixture
def way(rng):
    """Return descriptors of two hundred places along a line."""
    return walk_descriptors(rng, 200, BITS, 0.06)
