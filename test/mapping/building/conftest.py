# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from recorded import N
from street import write_recording
from tetra_vpr_ros.mapping import build_map, BuildOptions, PlaceMap


@pytest.fixture
def images(street):
    return [image for _, _, image in street[:N]]


@pytest.fixture
def built(tmp_path, tiny):
    """Return how to record events, build a map of them, and return its places and the report."""
    def built(events, storage='mcap', **options):
        write_recording(tmp_path / 'run', events, storage)
        output = tmp_path / 'm.vpr'
        report = build_map(BuildOptions(output, (tmp_path / 'run',), model=tiny, **options),
                           progress=False)
        with PlaceMap.open_file(output) as opened:
            table = opened.places()
        return table, report

    return built
