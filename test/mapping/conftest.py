# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A street of noise, for tests of what surrounds the recognition of places: made in moments."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from street import write_street
from tetra_vpr_ros.mapping import build_map, BuildOptions

START_NS = 1_700_000_000_000_000_000


@pytest.fixture(scope='session')
def tiny(tmp_path_factory) -> Path:
    """Return a model whose descriptors are a few pixels."""
    pytest.importorskip('onnx', reason='makes a small model with onnx')
    from tiny_model import tiny_model
    return tiny_model(tmp_path_factory.mktemp('models') / 'tiny.onnx')


@pytest.fixture(scope='session')
def street() -> list[tuple[int, float, np.ndarray]]:
    """Return (stamp, x in metres, image) of 40 m along a wall, a frame each 0.2 m."""
    rng = np.random.default_rng(5)
    wall = cv2.resize(rng.integers(0, 256, (9, 150, 3), dtype=np.uint8), (1800, 108),
                      interpolation=cv2.INTER_CUBIC)
    return [(START_NS + i * 100_000_000, 0.2 * i, wall[:, 8 * i:8 * i + 144].copy())
            for i in range(200)]


@pytest.fixture(scope='session')
def picture(street) -> np.ndarray:
    """Return an image, RGB uint8."""
    return street[0][2]


@pytest.fixture(scope='session')
def street_bag(street, tmp_path_factory) -> Path:
    """Return an MCAP bag of the street."""
    path = tmp_path_factory.mktemp('bags') / 'street'
    write_street(path, street)
    return path


@pytest.fixture(scope='session')
def street_map(street_bag, tiny, tmp_path_factory) -> Path:
    """Return a map of the street, made with the tiny model."""
    path = tmp_path_factory.mktemp('maps') / 'street.vpr'
    build_map(BuildOptions(path, (street_bag,), model=tiny), progress=False)
    return path
