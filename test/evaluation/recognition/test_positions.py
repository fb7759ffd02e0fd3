# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Large data sets in little memory, and names that two folders share."""

from pathlib import Path
import tracemalloc

import numpy as np
import pytest
from tetra_vpr_ros.evaluation.recognition.answering import answer
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError
from tetra_vpr_ros.evaluation.recognition.ground_truth import read_truth
from tetra_vpr_ros.evaluation.recognition.methods import Encoded
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, judge
from tetra_vpr_ros.evaluation.recognition.positions import within
from tetra_vpr_ros.evaluation.recognition.recall import frames_truth
from tetra_vpr_ros.evaluation.recognition.report.figures import distances

PLACES, QUERIES = 12_000, 1_000


def peak(work):
    tracemalloc.start()
    try:
        found = work()
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_truth_is_the_same_a_byte_a_pair_and_no_more(rng):
    places, queries = rng.uniform(0, 1000, (PLACES, 3)), rng.uniform(0, 1000, (QUERIES, 3))
    queries[:10] = places[:10]
    queries[:10, 0] += 25.0  # on the border
    truth, most = peak(lambda: within(places, queries, 25.0))
    assert most < PLACES * QUERIES + 60e6  # and 48 bytes a pair before: 576 MB
    some = [*range(10), *range(10, QUERIES, 97)]
    assert np.array_equal(truth[some], np.linalg.norm(
        queries[some][:, None] - places[None], axis=2) <= 25.0)
    assert truth.any(axis=1).sum() > QUERIES // 2


def test_frames_of_two_drives(rng):
    truth, most = peak(lambda: frames_truth(QUERIES, PLACES, 3))
    assert most < PLACES * QUERIES + 1e6
    assert np.array_equal(np.argwhere(truth[500])[:, 0], range(497, 504))


def test_names_judgement_and_pictures_of_a_large_set(rng, tmp_path):
    files = [Path(f'@{x:.1f}@0@.jpg') for x in range(PLACES)]
    asked = files[::PLACES // QUERIES]
    descriptors = rng.standard_normal((PLACES, 8)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    encoded = Encoded('m', descriptors, descriptors[::PLACES // QUERIES], np.zeros(QUERIES))

    def work():
        truth = read_truth('utm:1.5', files, asked)
        answers = answer(encoded, 'single', progress=False)
        apart, same = distances(encoded, truth, None)
        return judge('m', 'single', answers, truth), apart, same, truth

    (result, apart, same, truth), most = peak(work)
    assert most < PLACES * QUERIES + 90e6
    assert (result.n, result.recall[1]) == (QUERIES, 1.0)
    assert apart.shape == same.shape == (QUERIES, 4000)
    assert np.array_equal(same, truth[:, ::3])


def test_cosine_in_parts_is_that_of_all(rng):
    database, queries = (rng.standard_normal((n, 16)).astype(np.float32) for n in (50, 600))
    found = answer(Encoded('m', database, queries, np.zeros(600)), 'single', progress=False)
    alike = queries @ database.T
    assert np.array_equal(found.ranked, np.argsort(-alike, axis=1, kind='stable')[:, :20])
    assert np.allclose(found.scores, alike.max(axis=1))
    assert isinstance(found, Answers)


def test_equal_names_in_both_folders_are_told_apart_by_folder_or_refused(tmp_path):
    database = [Path(f'day/{i}.jpg') for i in range(3)]
    queries = [Path(f'night/{i}.jpg') for i in range(3)]
    path = tmp_path / 'poses.csv'
    path.write_text('name,x,y\n' + ''.join(f'{i}.jpg,{10 * i},0\n' for i in range(3)))
    with pytest.raises(DatasetError, match=r"'0\.jpg' fits both day/0\.jpg and night/0\.jpg"):
        read_truth(f'poses:{path}:5', database, queries)
    assert read_truth(f'poses:{path}:5', database, database).diagonal().all()
    path.write_text('\ufeffname,x,y\r\n' + ''.join(
        f'{folder}/{i}.jpg,{10 * (i + shift)},0\r\n'
        for folder, shift in (('day', 0), ('night', 1)) for i in range(3)))
    assert np.argwhere(read_truth(f'poses:{path}:5', database, queries)).tolist() == [
        [0, 1], [1, 2]]


@pytest.mark.filterwarnings('error')
def test_a_position_that_is_none_is_near_nothing():
    files = [Path(f'@{x}@0@.jpg') for x in ('0', 'nan', 'inf', '1e999')]
    assert np.argwhere(read_truth('utm:5', files, files)).tolist() == [[0, 0]]
