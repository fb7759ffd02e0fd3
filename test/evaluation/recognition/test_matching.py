# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
from sample_data import noisy, random_descriptors
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError
from tetra_vpr_ros.evaluation.recognition.matching import fit_match_model, LabelledPlaces
from tetra_vpr_ros.mapping.map.token_comparison import TokenComparison
from tetra_vpr_ros.vision import Encodings

GRID = (3, 4)


def pictures(rng, count):
    return Encodings(random_descriptors(rng, count),
                     rng.integers(0, 256, (count, 12, 16), dtype=np.uint8))


def again(rng, places, rows, share):
    """Return other pictures of some places; a share of their bits differs, more or less."""
    return Encodings.joined([
        Encodings(noisy(rng, places.descriptors[row], part + 0.05)[None],
                  np.array([noisy(rng, token, part) for token in places.tokens[row]])[None])
        for row, part in zip(rows, rng.uniform(0.5 * share, 1.5 * share, len(rows)))])


@pytest.fixture
def labelled(rng):
    """Return two sets: of every place a query, and some queries of places that are not there."""
    sets = []
    for name in ('one', 'two'):
        places = pictures(rng, 60)
        rows = np.arange(60)
        strangers = pictures(rng, 5)
        queries = Encodings.joined([again(rng, places, rows, 0.3), strangers])
        truth = np.vstack([np.eye(60, dtype=bool), np.zeros((5, 60), bool)])
        sets.append(LabelledPlaces(name, places, queries, truth))
    return sets


def test_right_places_are_preferred_and_foreign_worlds_told(labelled, rng):
    found = fit_match_model(labelled, [pictures(rng, 80)], GRID, progress=False)
    assert found.place_score > 10
    assert found.frame_score > 10
    assert found.frame_bits < 0
    assert found.look_contrast > 1
    assert found.look_bits < 0
    compare = TokenComparison(GRID)
    at = labelled[0]
    own, foreign = [], []
    for query, ratios in ((at.queries, own), (pictures(rng, 60), foreign)):
        for tokens, descriptor in zip(query.tokens[:60], query.descriptors):
            seen = compare(tokens, at.places.tokens)
            best = int(np.argmax(seen.scores))
            apart = np.unpackbits(descriptor ^ at.places.descriptors[best]).mean()
            ratios.append(found.of_the_map(float(seen.scores[best]), float(apart),
                                           float(seen.backgrounds[best])))
    assert np.median(own) > 1
    assert np.median(foreign) < -1
    assert np.mean(np.array(foreign) > found.foreign_level) <= 0.1
    assert found.foreign_share(float(np.median(own))) < 0.01 < found.foreign_share(
        float(np.median(foreign)))


def test_what_is_missed_is_counted(labelled, rng):
    """Half of the queries of one set show their place to nobody."""
    at = labelled[0]
    known = Encodings(at.queries.descriptors[:60], at.queries.tokens[:60])
    hard = replace(at, queries=Encodings.joined([known, pictures(rng, 60)]),
                   truth=np.vstack([np.eye(60, dtype=bool)] * 2))
    found = fit_match_model([hard], [pictures(rng, 60)], GRID, progress=False)
    # By chance a third of the lost ones have it among twenty of sixty.
    assert 0.2 <= found.missed <= 0.45


def test_too_little_is_refused(labelled, rng):
    few = replace(labelled[0], queries=Encodings(labelled[0].queries.descriptors[:9],
                                                 labelled[0].queries.tokens[:9]),
                  truth=labelled[0].truth[:9])
    with pytest.raises(DatasetError, match='[89] queries with their place'):
        fit_match_model([few], [pictures(rng, 80)], GRID, progress=False)
    with pytest.raises(DatasetError, match='and 10 foreign pictures'):
        fit_match_model([labelled[0]], [pictures(rng, 10)], GRID, progress=False)
    with pytest.raises(ValueError, match='need their patch tokens'):
        fit_match_model(labelled, [Encodings(random_descriptors(rng, 80), None)], GRID,
                        progress=False)
