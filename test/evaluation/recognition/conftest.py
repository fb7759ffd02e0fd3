# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Real images, encoded once with the shipped model."""

import pytest
from sample_data import DATA
from tetra_vpr_ros.evaluation.recognition.dataset import images_of
from tetra_vpr_ros.evaluation.recognition.recall import encode_files

BENCHMARKS = DATA / 'benchmarks'


@pytest.fixture(scope='session')
def benchmark_descriptors(encoder):
    """Return the descriptors of three traverses of Gardens Point and of an indoor lap."""
    for name in ('gardens_point', 'rtabmap_lap'):
        if not (BENCHMARKS / name).is_dir():
            pytest.skip(f'../shared/data/benchmarks/{name} is not here')
    made = {name: encode_files(encoder, images_of(BENCHMARKS / 'gardens_point' / name))
            for name in ('day_left', 'day_right', 'night_right')}
    made['lap'] = encode_files(encoder, images_of(BENCHMARKS / 'rtabmap_lap'))
    return made
