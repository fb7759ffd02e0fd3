# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The soak test, shortened; ``make soak`` runs it for two hours."""

import pytest
from soak import judge, soak

pytestmark = pytest.mark.ros


def test_hundreds_of_frames_leave_the_node_as_it_was(bring_up, probe, bag, map_file):
    localizer = bring_up(map=map_file, image_topics=['/cam'], image_transport='compressed')
    samples, state = soak(probe, localizer, bag, 400)
    assert len(samples) == 10, localizer.log
    assert samples[-1]['frames processed'] == 400
    assert samples[-1]['matches accepted'] > 0.5 * samples[-1]['frames processed']
    assert not judge(samples, state, steady_machine=False), localizer.log
