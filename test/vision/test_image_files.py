# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import random

from hypothesis import given, strategies
import numpy as np
import pytest
from tetra_vpr_ros.vision.image_files import image_files, natural_order, ViewName


def test_numbers_are_counted_and_not_spelled():
    names = ['1.jpg', '2.jpg', '10.jpg', 'a1.jpg', 'a2b.jpg', 'a10.jpg', 'a.jpg', 'b.jpg']
    mixed = names[:]
    random.Random(0).shuffle(mixed)
    assert sorted(mixed, key=natural_order) == names


def test_numbers_of_other_scripts_and_the_same_number_twice():
    names = ['x²', 'x³', '7.jpg', '07.jpg', '\u0667.jpg', '²', '8']
    for seed in range(5):
        random.Random(seed).shuffle(names)
        assert sorted(names, key=natural_order) == [
            '07.jpg', '7.jpg', '\u0667.jpg', '8', 'x²', 'x³', '²']


@given(strategies.lists(strategies.text(max_size=6)))
def test_any_names_have_one_order(names):
    backwards = names[::-1]
    assert sorted(backwards, key=natural_order) == sorted(names, key=natural_order)


def test_a_folder_and_the_folders_in_it(tmp_path):
    for name in ('10.JPG', '9.png', 'note.txt', 'run2/1.jpeg', 'run10/1.jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in image_files(tmp_path)] == ['9.png', '10.JPG']
    assert [str(path.relative_to(tmp_path)) for path in image_files(tmp_path, deep=True)] == [
        '9.png', '10.JPG', 'run2/1.jpeg', 'run10/1.jpg']


def test_hidden_files_are_no_images(tmp_path):
    for name in ('1.jpg', '._1.jpg', '.2.png', '.Trash-1000/3.jpg', '__MACOSX/._1.jpg',
                 '@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg', 'lost+found/5.jpg', 'run.jpg/4.jpg'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in image_files(tmp_path)] == ['1.jpg']
    assert [path.name for path in image_files(tmp_path, deep=True)] == ['1.jpg', '4.jpg']


def test_folders_that_are_links_are_followed_and_each_is_read_once(tmp_path):
    for name in ('disk/run1/1.jpg', 'images/run2/2.jpg'):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    images = tmp_path / 'images'
    (images / 'run1').symlink_to(tmp_path / 'disk' / 'run1')
    (images / 'latest').symlink_to(images / 'run2')
    (images / 'run2' / 'round').symlink_to(images)
    (images / 'lost.jpg').symlink_to(tmp_path / 'nowhere.jpg')
    (images / 'own.jpg').symlink_to(images / 'own.jpg')
    assert [str(path.relative_to(images)) for path in image_files(images, deep=True)] == [
        'lost.jpg', 'own.jpg', 'run1/1.jpg', 'run2/2.jpg']


def test_a_name_says_where_a_camera_stood_and_is_read_as_it_was_written():
    view = ViewName(10.5, -2.25, 52.20504480, 0.11957710, 'hall', '3', 90.25, None, None, 1.75,
                    '1403636579763555584')
    name = str(view)
    assert name == ('@10.500@-2.250@@@52.20504480@0.11957710@hall@3@90.25@@@1.750'
                    '@1403636579763555584@@.jpg')
    assert ViewName.of(name) == view


@pytest.mark.parametrize('name', ['view.jpg', '@@.jpg', '@east@north@.jpg'])
def test_a_name_without_numbers_has_no_position(name):
    view = ViewName.of(name)
    assert view.east is None and view.north is None and view.heading is None


def test_numbers_that_are_not_finite_are_not_known():
    view = ViewName.of('@nan@-inf@@@@@@@1e999@.jpg')
    assert np.isnan([view.east, view.north, view.heading]).all()
