# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
import pickle

import cv2
import numpy as np
import pytest
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError
from tetra_vpr_ros.evaluation.recognition.ground_truth import read_truth

DATABASE = [Path(f'db/@{10 * i}@0@.jpg') for i in range(5)]
QUERIES = [Path(f'q/@{10 * i + 4}@0@.jpg') for i in range(3)]


def pairs(truth):
    return [tuple(pair) for pair in np.argwhere(truth)]


def test_frames_utm_and_none():
    assert pairs(read_truth('frames:1', DATABASE, QUERIES)) == [
        (0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3)]
    assert pairs(read_truth('utm:5', DATABASE, QUERIES)) == [(0, 0), (1, 1), (2, 2)]
    assert read_truth('utm', DATABASE, QUERIES).all(axis=0)[1]  # 25 m
    assert not read_truth('none', DATABASE, QUERIES).any()


@pytest.mark.parametrize('form', ['csv', 'tum', 'kitti'])
def test_poses(tmp_path, form):
    positions = [(10.0 * i, 0.0) for i in range(5)] + [(10.0 * i + 4, 0.0) for i in range(3)]
    path = tmp_path / 'poses.txt'
    if form == 'csv':
        path.write_text('name,x,y\n' + ''.join(
            f'{file.name},{x},{y}\n' for file, (x, y) in zip([*DATABASE, *QUERIES], positions)))
    elif form == 'tum':
        path.write_text('# stamp x y z\n' + ''.join(f'{i} {x} {y} 0 0 0 0 1\n'
                                                    for i, (x, y) in enumerate(positions)))
    else:
        path.write_text(''.join(f'1 0 0 {x} 0 1 0 {y} 0 0 1 0\n' for x, y in positions))
    assert pairs(read_truth(f'poses:{path}:5', DATABASE, QUERIES)) == [(0, 0), (1, 1), (2, 2)]


def test_columns_of_indices(tmp_path):
    path = tmp_path / 'gt.csv'
    path.write_text('\ufeffquery,refs,near\r\n0,0 1,4\r\n1,,\r\n2,4,2 3\r\n')
    assert pairs(read_truth(f'csv:{path}', DATABASE, QUERIES)) == [(0, 0), (0, 1), (2, 4)]
    assert pairs(read_truth(f'csv:{path}:near', DATABASE, QUERIES)) == [(0, 4), (2, 2), (2, 3)]


@pytest.mark.parametrize('text, match', [
    ('query,places\n0,1\n', "no column 'refs', only query, places"),
    ('', "no column 'query', only nothing"),
    ('query,refs\n0,1\n3,1\n', 'line 3: there are 3 queries and 5 places'),
    ('query,refs\n0,5\n', 'line 2: there are 3 queries and 5 places'),
    ('query,refs\n0,-1\n', 'line 2'), ('query,refs\none,1\n', 'does not list places'),
    ('query,refs\n\xff', 'does not list places'), ('query,refs\n0\n1', None)])
def test_columns_that_do_not_fit_are_told(tmp_path, text, match):
    path = tmp_path / 'gt.csv'
    path.write_text(text, encoding='latin-1')
    if match is None:  # a query without places does not count
        assert not read_truth(f'csv:{path}', DATABASE, QUERIES).any()
        return
    with pytest.raises(DatasetError, match=match):
        read_truth(f'csv:{path}', DATABASE, QUERIES)


def test_lists_of_indices(tmp_path):
    ragged = np.empty((3, 2), object)
    for i, places in enumerate(([0], [1, 2], [])):
        ragged[i] = [i, np.array(places, int)]
    np.save(tmp_path / 'bench.npy', ragged, allow_pickle=True)
    assert pairs(read_truth(f'npy:{tmp_path}/bench.npy', DATABASE, QUERIES)) == [
        (0, 0), (1, 1), (1, 2)]
    np.save(tmp_path / 'plain.npy', np.array([[0], [3], [4]]))
    assert pairs(read_truth(f'npy:{tmp_path}/plain.npy', DATABASE, QUERIES)) == [
        (0, 0), (1, 3), (2, 4)]


@pytest.mark.parametrize('rows', [[[0, -1], [1, 2], [3, 4]], [[0.0], [1.7], [2.0]]])
def test_indices_that_are_none_are_told(tmp_path, rows):
    np.save(tmp_path / 'rows.npy', np.array(rows))
    with pytest.raises(DatasetError, match='indices are whole and count from 0'):
        read_truth(f'npy:{tmp_path}/rows.npy', DATABASE, QUERIES)


def test_pairs_tell_folders_apart_that_share_names(tmp_path):
    database, queries = ([tmp_path / folder / f'{i}.jpg' for i in range(3)] for folder in 'ab')
    (tmp_path / 'pairs.csv').write_text('a,b\na/0.jpg,b/2.jpg\n./b/1.jpg,a/1\n')
    assert pairs(read_truth(f'pairs:{tmp_path}/pairs.csv', database, queries)) == [(1, 1), (2, 0)]
    (tmp_path / 'pairs.csv').write_text('a,b\n0.jpg,2.jpg\n')
    with pytest.raises(DatasetError, match='may each be the query or the place: write their fol'):
        read_truth(f'pairs:{tmp_path}/pairs.csv', database, queries)
    # Pictures of one folder are pairs either way.
    assert pairs(read_truth(f'pairs:{tmp_path}/pairs.csv', queries, queries)) == [(0, 2), (2, 0)]


def test_pairs_of_other_pictures_are_told(tmp_path):
    file = tmp_path / 'pairs.csv'
    file.write_text('a,b\nleft_1.jpg,right_1.jpg\n')
    with pytest.raises(DatasetError, match='none of its pairs is of a query and a place'):
        read_truth(f'pairs:{file}', DATABASE, QUERIES)


class Hostile:

    def __reduce__(self):
        return Path.touch, (Path('/tmp/this_was_run'),)


def test_an_array_that_would_run_code_is_refused(tmp_path):
    rows = np.empty(3, object)
    rows[:] = [Hostile()] * 3
    np.save(tmp_path / 'evil.npy', rows, allow_pickle=True)
    with pytest.raises(DatasetError, match='not a list of indices'):
        read_truth(f'npy:{tmp_path}/evil.npy', DATABASE, QUERIES)
    assert not Path('/tmp/this_was_run').exists()
    (tmp_path / 'short.npy').write_bytes(b'\x93NUMPY\x01\x00\x10\x00')
    with pytest.raises(DatasetError, match='short'):
        read_truth(f'npy:{tmp_path}/short.npy', DATABASE, QUERIES)
    (tmp_path / 'pickle.npy').write_bytes(pickle.dumps([1]))
    with pytest.raises(DatasetError):
        read_truth(f'npy:{tmp_path}/pickle.npy', DATABASE, QUERIES)


def test_matrices(tmp_path):
    wide = np.zeros((3, 5), np.uint8)
    wide[1, 4] = 255
    cv2.imwrite(str(tmp_path / 'wide.png'), wide)
    assert pairs(read_truth(f'matrix:{tmp_path}/wide.png', DATABASE, QUERIES)) == [(1, 4)]
    square = np.zeros((8, 8), np.uint8)
    square[6, 2] = 255  # lower triangle: query 1, place 2
    cv2.imwrite(str(tmp_path / 'square.bmp'), square)
    assert pairs(read_truth(f'matrix:{tmp_path}/square.bmp', DATABASE, QUERIES)) == [(1, 2)]


@pytest.mark.parametrize('spec, says', [
    ('gps', 'use one of utm:RADIUS'), ('frames:x', "'x' is not a whole number of frames"),
    ('frames:2.9', "'2.9' is not a whole"), ('frames:inf', "'inf' is not a whole"),
    (r'labels:\d*?', 'matches none of its letters'), ('poses:day.csv', 'as poses:day.csv:5'),
    ('utm:-3', "'-3' is not a number"), ('npy:nowhere.npy', "no ground-truth file 'nowhere.npy'"),
    ('poses:nowhere.txt:5', 'nowhere.txt'), ('matrix:{}/text', 'text is not an image'),
    ('matrix:{}/small.png', '2 x 2, not 3 queries x 5 places'), ('poses:{}/text:5', 'neither CSV'),
    ('poses:{}/few.txt:5', '1 poses for 8 images'),
    ('poses:{}/names.csv:5', 'no pose of @0@0@.jpg'),
    ('npy:{}/rows.npy', '2 rows for 3 queries'), ('npy:{}/far.npy', 'does not list places')])
def test_what_does_not_fit_is_told(tmp_path, spec, says):
    (tmp_path / 'text').write_text('no image, no poses')
    cv2.imwrite(str(tmp_path / 'small.png'), np.zeros((2, 2), np.uint8))
    (tmp_path / 'few.txt').write_text('0 1 2 3 0 0 0 1\n')
    (tmp_path / 'names.csv').write_text('name,x,y\nother.jpg,1,2\n')
    np.save(tmp_path / 'rows.npy', np.array([[0], [1]]))
    np.save(tmp_path / 'far.npy', np.array([[0], [1], [99]]))
    with pytest.raises(DatasetError) as caught:
        read_truth(spec.format(tmp_path), DATABASE, QUERIES)
    assert says in str(caught.value)


def test_names_without_coordinates_say_so():
    with pytest.raises(DatasetError, match='holds no @utm_east@utm_north@'):
        read_truth('utm:25', [Path('a.jpg')], QUERIES)
