# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The soak test, shortened; ``make soak`` runs it for two hours."""

import pytest
from soak import judge, soak

pytestmark = [pytest.mark.ros, pytest.mark.timeout(240)]


def test_a_minute_of_work_leaves_the_node_as_it_was(bag, map_file, tmp_path):
    samples, state, log = soak(bag, map_file, 60.0, 10.0, tmp_path / 'log.txt')
    assert len(samples) >= 9, log
    assert samples[-1]['matches accepted'] > 0.5 * samples[-1]['frames processed']
    assert not judge(samples, state), log
