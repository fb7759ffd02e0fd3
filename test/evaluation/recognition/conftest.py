# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Real images, encoded once with the shipped model."""

from functools import cache

import pytest
from sample_data import DATA
from tetra_vpr_ros.evaluation.recognition.dataset import images_of
from tetra_vpr_ros.evaluation.recognition.recall import encode_files

BENCHMARKS = DATA / 'benchmarks'


@pytest.fixture(scope='session')
def benchmark_encodings(encoder):
    """Return a function: descriptors and tokens of a folder of the benchmarks."""

    @cache
    def encoded(folder):
        if not (BENCHMARKS / folder).is_dir():
            pytest.skip(f'../shared/data/benchmarks/{folder} is not here')
        return encode_files(encoder, images_of(BENCHMARKS / folder))

    return encoded


@pytest.fixture(scope='session')
def benchmark_descriptors(benchmark_encodings):
    """Return the descriptors of three traverses of Gardens Point and of an indoor lap."""
    made = {name: benchmark_encodings(f'gardens_point/{name}').descriptors
            for name in ('day_left', 'day_right', 'night_right')}
    made['lap'] = benchmark_encodings('rtabmap_lap').descriptors
    return made
