# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from sample_data import DATA, random_descriptors
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError, images_of
from tetra_vpr_ros.evaluation.recognition.recall import encode_files, frames_truth, recall_at


def test_recall_by_hand(rng):
    database = random_descriptors(rng, 10)
    queries = database[[0, 1, 2, 3]].copy()
    truth = np.zeros((4, 10), bool)
    truth[0, 0] = truth[1, 1] = truth[2, 9] = True  # query 2 finds the wrong place, 3 has none
    assert recall_at(1, database, queries, truth) == pytest.approx(2 / 3)
    assert recall_at(10, database, queries, truth) == 1.0
    with pytest.raises(ValueError, match='shape'):
        recall_at(1, database, queries, truth.T)
    with pytest.raises(ValueError, match='no query'):
        recall_at(1, database, queries, np.zeros((4, 10), bool))


def test_frames_truth():
    assert np.array_equal(frames_truth(3, 4, 1), [
        [True, True, False, False], [True, True, True, False], [False, True, True, True]])


def test_files_in_natural_order_and_clear_errors(tmp_path, encoder):
    for name in ('10.jpg', '2.jpg', 'note.txt'):
        cv2.imwrite(str(tmp_path / name), np.zeros((20, 20, 3), np.uint8)) \
            if name.endswith('jpg') else (tmp_path / name).write_text('')
    files = images_of(tmp_path)
    assert [f.name for f in files] == ['2.jpg', '10.jpg']
    for some in (files, []):
        found = encode_files(encoder, some)
        assert found.descriptors.shape == (len(some), encoder.bits // 8)
        assert found.tokens.shape == (len(some), *encoder.info.token_shape)
    files[0].write_bytes(b'broken')
    with pytest.raises(DatasetError, match=r'2\.jpg'):
        encode_files(encoder, files)
    with pytest.raises(DatasetError, match='no such image folder'):
        images_of(tmp_path / 'none')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DatasetError, match='no jpg or png'):
        images_of(tmp_path / 'empty')


@pytest.mark.data
@pytest.mark.parametrize('database, queries, hog, target', [
    ('day_left', 'day_right', 0.48, 0.85), ('day_right', 'night_right', 0.62, 0.85),
    ('day_left', 'night_right', 0.30, 0.60)])
def test_the_shipped_model_on_gardens_point(benchmark_descriptors, database, queries, hog, target):
    recall = recall_at(1, benchmark_descriptors[database], benchmark_descriptors[queries],
                       frames_truth(200, 200, 2))
    print(f'Gardens Point {database} -> {queries}: recall@1 {recall:.3f} (HOG {hog:.2f})')
    assert recall >= target


@pytest.mark.data
def test_the_shipped_model_on_the_second_indoor_lap(benchmark_descriptors):
    truth = cv2.imread(str(DATA / 'benchmarks' / 'rtabmap_lap' / 'samples_GT.bmp'),
                       cv2.IMREAD_GRAYSCALE) > 0
    lap = benchmark_descriptors['lap']
    recall = recall_at(1, lap[:40], lap[40:], truth[40:, :40])
    print(f'RTAB-Map lap: recall@1 {recall:.3f}')
    assert recall > 0.88  # 41 of 44; another runtime may differ in one
