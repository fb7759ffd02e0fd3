# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
from tetra_vpr_ros.evaluation.cost.networks import baselines
from tetra_vpr_ros.evaluation.cost.timing import open_session, random_input


def test_baselines_have_the_sizes_of_their_names(tmp_path):
    path = baselines.write_baseline('resnet18-512', 64, tmp_path)
    int8 = baselines.quantize_baseline(path, 'resnet18-512', 64)
    assert 11.2e6 * 4 < path.stat().st_size < 12e6 * 4  # ResNet18's parameters
    assert int8.stat().st_size < path.stat().st_size / 3.5
    for file in (path, int8):
        session = open_session(file, 1)
        answer = session.run(None, random_input(session, 2))[0]
        assert answer.shape == (2, 512)
        assert np.isfinite(answer).all()
