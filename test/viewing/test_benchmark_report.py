# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports of maps of real pictures."""

from browser import opened
import numpy as np
import pytest
from sample_data import DATA
from tetra_vpr_ros.evaluation.recognition.dataset import images_of, read_image
from tetra_vpr_ros.evaluation.recognition.recall import encode_files
from tetra_vpr_ros.mapping import NewPlace, PlaceMap, Pose
from tetra_vpr_ros.mapping.building.writer import thumbnail_of
from tetra_vpr_ros.mapping.calibration import calibrate_map
from tetra_vpr_ros.mapping.map.token_comparison import TokenComparison
from tetra_vpr_ros.viewing import map_report
from tetra_vpr_ros.viewing.insight.knowledge import know

pytestmark = pytest.mark.data
FAR = 5  # places, a metre apart, from which they are different ones


@pytest.fixture(scope='module')
def office(encoder, tmp_path_factory):
    """Return a map of a robot's way through an office, and its patch tokens."""
    folder = DATA / 'benchmarks' / 'linenav_pepper' / 'ref'
    if not folder.is_dir():
        pytest.skip('../shared/data/benchmarks/linenav_pepper is not here')
    files = images_of(folder)
    made = encode_files(encoder, files)
    path = tmp_path_factory.mktemp('maps') / 'office.vpr'
    with PlaceMap.create(path, encoder.info) as new:
        new.set_meta(build={'keyframe_distance': 1.0, 'keyframe_angle': 15.0})
        session = new.begin_session('office')
        new.add_places(session, [
            NewPlace(i, Pose(np.array([float(i), 0, 0]), np.array([0, 0, 0, 1.0])), descriptor,
                     thumbnail_of(read_image(file)), tokens=tokens)
            for i, (file, (descriptor, tokens)) in enumerate(zip(files, made))])
        new.finish_session(session)
        calibrate_map(new)
    return path, made.tokens


def test_the_most_confusable_pair_of_an_office(office, encoder):
    path, tokens = office
    with PlaceMap.open_file(path) as place_map:
        known = know(place_map, progress=False)
    compare = TokenComparison(encoder.info.token_grid)
    scores = np.array([compare(own, tokens).scores for own in tokens])
    apart = np.abs(np.subtract.outer(np.arange(len(tokens)), np.arange(len(tokens)))) > FAR
    highest = np.where(apart, scores, 0).max()
    first = known.pairs[0]
    assert abs(first.one - first.other) > FAR
    assert first.score == pytest.approx(highest, abs=0.01)
    # Its second lap is recognised in four of five frames: in its own light it is told apart.
    assert known.sure.mean() > 0.8
    assert not known.mistaken.any()
    assert known.lights[0].word == 'light'


def test_its_page_opens(office, tmp_path):
    page = map_report(office[0], tmp_path, progress=False)
    assert page.stat().st_size < 8_000_000
    with opened(page) as tab:
        tab.page.wait_for_selector('#plan .main-svg')
        assert tab.page.locator('#panel img').count() >= 2
        assert tab.complaints == tab.requests == []
