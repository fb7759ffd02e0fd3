# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One drive against itself, on made-up frames."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sample_data import MATCHES, noisy, random_descriptors, walk_descriptors
from tetra_vpr_ros.evaluation.recognition.answering import answer
from tetra_vpr_ros.evaluation.recognition.earlier import answer_earlier, earlier_frames
from tetra_vpr_ros.evaluation.recognition.methods import Encoded
from tetra_vpr_ros.evaluation.recognition.metrics import judge
from tetra_vpr_ros.evaluation.recognition.recall import frames_truth
from tetra_vpr_ros.vision import ModelInfo

# By the tokens alone.
BY_TOKENS = replace(MATCHES, place_bits=0.0, place_standing=0.0)
MODEL = ModelInfo(Path('loop.onnx'), 'a' * 64, 'loop', '1', 256, 8, 8, 'none', (4, 4), 128,
                  BY_TOKENS)


@pytest.fixture
def loop(rng):
    """Return a loop of 30 frames, driven one and a half times; descriptors mislead, tokens not."""
    places = walk_descriptors(rng, 30)
    tokens = random_descriptors(rng, 30 * 16, 128).reshape(30, 16, 16)
    order = np.arange(45) % 30
    seen = np.array([noisy(rng, places[i]) for i in order])
    # Back at its places the robot sees the next place's descriptor.
    seen[30:44] = [noisy(rng, places[i + 1], 0.05) for i in range(14)]
    return Encoded('loop', seen, seen, np.full(45, 0.01), tokens[order], tokens[order], MODEL)


def test_which_frames_are_earlier():
    assert np.array_equal(earlier_frames(4, 0), [
        [False, False, False, False], [True, False, False, False],
        [True, True, False, False], [True, True, True, False]])
    assert np.argwhere(earlier_frames(4, 1)).tolist() == [[2, 0], [3, 0], [3, 1]]
    assert not earlier_frames(4, 3).any()


@pytest.mark.parametrize('recent', [0, 7])
@pytest.mark.parametrize('second_look', [0, 20])
def test_only_earlier_frames_answer(loop, recent, second_look):
    found = answer_earlier(loop, recent, second_look, progress=False)
    for row, ranked in enumerate(found.ranked):
        places = ranked[ranked >= 0]
        assert len(places) == len(set(places)) == min(20, max(row - recent, 0))
        assert (places < row - recent).all()
        assert (ranked[len(places):] == -1).all()
    assert (found.ranked[recent + 1:, 0] >= 0).all()
    assert found.scores[:recent + 1].max() < found.scores[recent + 1:].min()
    assert found.accepted is None
    assert (found.seconds > 0.01).all()


def test_the_second_look_orders_the_nearest_of_the_allowed(loop):
    plain = answer_earlier(loop, 7, progress=False)
    again = answer_earlier(loop, 7, 20, progress=False)
    assert (plain.ranked[30:44, 0] == np.arange(1, 15)).all()  # misled
    assert (again.ranked[30:44, 0] == np.arange(14)).all()
    assert (again.scores[30:44] == 1.0).all()
    assert np.array_equal(np.sort(plain.ranked), np.sort(again.ranked))
    few = answer_earlier(loop, 7, 2, progress=False).ranked
    assert np.array_equal(np.sort(few[:, :2]), np.sort(plain.ranked[:, :2]))
    assert np.array_equal(few[:, 2:], plain.ranked[:, 2:])
    assert (plain.bytes_per_place, again.bytes_per_place) == (32, 32 + 16 * 16)


def test_only_frames_with_a_true_earlier_place_count(loop):
    truth = frames_truth(45, 45, 0)
    truth[30:, :15] |= np.eye(15, dtype=bool)
    result = judge('loop', 'single', answer_earlier(loop, 7, 20, progress=False),
                   truth & earlier_frames(45, 7))
    assert (result.n, result.recall[1], result.ap) == (15, 1.0, 1.0)


def test_other_descriptors_by_their_cosine(rng):
    seen = rng.normal(size=(12, 8)).astype(np.float32)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    seen[9] = seen[2]
    found = answer_earlier(Encoded('words', seen, seen, np.zeros(12)), 3, 20, progress=False)
    assert found.ranked[9, 0] == 2
    assert found.scores[9] == pytest.approx(0.0, abs=1e-6)


def test_a_map_of_the_frames_answers_likewise(loop):
    """The rest of the second lap, on a map of the first."""
    split = Encoded('loop', loop.database[:30], loop.queries[30:44], loop.seconds[30:44],
                    loop.database_tokens[:30], loop.query_tokens[30:44], MODEL)
    plain, again = answer(split, 'single', progress=False), answer(split, 'single', 20, False)
    assert (plain.ranked[:, 0] == np.arange(1, 15)).all()
    assert (again.ranked[:, 0] == np.arange(14)).all()
    assert (again.scores == 1.0).all()
    assert (plain.scores < 0).all()
    assert (plain.bytes_per_place, again.bytes_per_place) == (32, 32 + 16 * 16)
