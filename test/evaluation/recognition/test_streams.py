# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a localizer can be trusted, on real streams: the figures of docs/localization.md."""

from pathlib import Path

import numpy as np
import pytest
from sample_data import walk_descriptors
from tetra_vpr_ros.evaluation.recognition.recall import frames_truth
from tetra_vpr_ros.evaluation.recognition.streams import follow, map_of_frames, score
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer
from tetra_vpr_ros.vision import Encodings, ModelInfo

TRAVERSES = ('day_left', 'day_right', 'night_right')


def stream(path, encoder, places, queries, name='bayes'):
    with map_of_frames(path, encoder.info, places.descriptors, tokens=places.tokens) as opened:
        return follow(make_localizer(opened, LocalizerOptions(name)), queries)


def first(encodings, count):
    return Encodings(encodings.descriptors[:count], encodings.tokens[:count])


@pytest.mark.data
@pytest.mark.parametrize('database, queries, recall, precision, accepted', [
    ('day_left', 'night_right', 0.97, 0.99, 0.85),
    ('day_right', 'night_right', 0.99, 0.99, 0.95),
    ('day_left', 'day_right', 0.97, 0.97, 0.95)])
def test_gardens_point_as_a_stream(tmp_path, encoder, benchmark_encodings, database, queries,
                                   recall, precision, accepted):
    estimates = stream(
        tmp_path / 'places.vpr', encoder,
        *(benchmark_encodings(f'gardens_point/{side}') for side in (database, queries)))
    for tolerance in (3, 2):
        found = score(estimates, frames_truth(200, 200, tolerance))
        print(f'{database} -> {queries} +-{tolerance} recall@1 {100 * found.recall_at_1:.1f} '
              f'precision {100 * found.precision:.1f} accepted {100 * found.accepted:.1f}')
    assert found.recall_at_1 >= recall
    assert found.precision >= precision
    assert found.accepted >= accepted


@pytest.mark.data
@pytest.mark.parametrize('name', ['bayes', 'single'])
def test_another_world_is_unknown(tmp_path, encoder, benchmark_encodings, name):
    lap = benchmark_encodings('rtabmap_lap')
    accepted = {}
    for folder in TRAVERSES:
        there = benchmark_encodings(f'gardens_point/{folder}')
        found = stream(tmp_path / f'{folder}.vpr', encoder, there, lap, name)
        accepted[f'lap on {folder}'] = sum(e.accepted for e in found)
        found = stream(tmp_path / f'lap_{folder}.vpr', encoder, first(lap, 40), there, name)
        accepted[f'{folder} on lap'] = sum(e.accepted for e in found)
    print(name, accepted)
    assert sum(accepted.values()) <= 2  # of 852: three times the rate that is allowed
    if name == 'bayes':
        assert np.mean([e.unknown for e in found]) > 0.9


def test_a_score_counts_what_is_true_and_what_is_taken(tmp_path, rng):
    model = ModelInfo(Path('a.onnx'), 'a' * 64, 'model-a', '1', 256, 8, 8, 'none')
    database = walk_descriptors(rng, 60)
    with map_of_frames(tmp_path / 'm.vpr', model, database, spacing=0.5) as opened:
        localizer = make_localizer(opened, LocalizerOptions('single'))
        estimates = follow(localizer, Encodings(database[:30], None), seconds=0.2)
    assert score(estimates, frames_truth(30, 60, 0)).recall_at_1 == 1.0
    wrong = np.zeros((30, 60), bool)
    wrong[:15] = frames_truth(15, 60, 0)
    half = score(estimates, wrong, skipped=0)
    assert (half.frames, half.recall_at_1, half.precision) == (30, 0.5, 0.5)
    with pytest.raises(ValueError, match='29 frames'):
        score(estimates, wrong[:29])
