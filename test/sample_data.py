# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where data lies, and made-up descriptors."""

from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / 'shared' / 'data'


def random_descriptors(rng: np.random.Generator, count: int, bits: int = 256) -> np.ndarray:
    """Return uint8 ``[count, bits / 8]``."""
    return rng.integers(0, 256, (count, bits // 8), dtype=np.uint8)
