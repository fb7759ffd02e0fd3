# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where data lies, and made-up descriptors."""

from pathlib import Path

import numpy as np
from tetra_vpr_ros.vision.match_model import MatchModel

MATCHES = MatchModel(
    place_score=60.0, place_bits=-5.0, place_standing=0.5, frame_score=40.0, frame_bits=-30.0,
    frame_bias=-16.0, missed=0.05, foreign_level=1.0, foreign_decay=1.2)
"""Numbers like those of the shipped model."""

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / 'shared' / 'data'


def random_descriptors(rng: np.random.Generator, count: int, bits: int = 256) -> np.ndarray:
    """Return uint8 ``[count, bits / 8]``."""
    return rng.integers(0, 256, (count, bits // 8), dtype=np.uint8)


def walk_descriptors(rng: np.random.Generator, count: int, bits: int = 256,
                     flipped: float = 0.15) -> np.ndarray:
    """Return descriptors that change along a way: neighbours are alike, far places are not."""
    rows = np.empty((count, bits), np.uint8)
    rows[0] = rng.integers(0, 2, bits)
    for i in range(1, count):
        rows[i] = rows[i - 1] ^ (rng.random(bits) < flipped)
    return np.packbits(rows, axis=1, bitorder='little')


def noisy(rng: np.random.Generator, descriptor: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Return a descriptor with a share of its bits flipped."""
    noise = rng.random(descriptor.size * 8) < share
    return descriptor ^ np.packbits(noise.reshape(-1, 8), axis=1, bitorder='little').ravel()
