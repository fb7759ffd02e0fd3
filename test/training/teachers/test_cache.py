# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
import errno
import json
import os

import cv2
import numpy as np
import pytest
from tetra_vpr_ros.training.data.memory_map import memory_map
from tetra_vpr_ros.training.data.pool import find_images, read_rgb
from tetra_vpr_ros.training.network.vit import ViTConfig
from tetra_vpr_ros.training.teachers.cache import build_cache, TeacherCache
from tetra_vpr_ros.training.teachers.open_teacher import described, open_teacher, TeacherConfig
from training_data import SPEC


def test_cache_holds_views_and_tokens_and_skips_what_does_not_decode(cache, pictures):
    assert cache.views.shape == (33, 2, 64, 64, 3)
    assert cache.tokens.shape == (33, 2, 16, 32)
    assert cache.grid == (4, 4)
    assert cache.valid.sum() == 32
    assert not cache.valid[32]
    assert np.isfinite(cache.tokens[:32].astype(np.float32)).all()
    image = read_rgb(find_images(pictures)[3].path)
    whole = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.array_equal(cache.views[3, 0], whole)


def test_an_interrupted_cache_continues_to_the_same_result(pictures, vit_teacher, tmp_path):
    vit = ViTConfig(**vit_teacher.pop('vit'))
    teacher = open_teacher(TeacherConfig(**vit_teacher, vit=vit))
    images = find_images(pictures)
    spec = replace(SPEC, size=56)
    whole = build_cache(tmp_path / 'whole', images, teacher, spec)
    calls = []

    class Interrupted:
        patch_channels, class_channels = teacher.patch_channels, teacher.class_channels

        def __call__(self, image):
            calls.append(len(image))
            if calls.count(16) == 2:  # the second chunk of eight images with two views
                raise KeyboardInterrupt
            return teacher(image)

    with pytest.raises(KeyboardInterrupt):
        build_cache(tmp_path / 'cut', images, Interrupted(), spec, commit=8)
    assert json.loads((tmp_path / 'cut' / 'cache.json').read_text())['done'] == 8
    with pytest.raises(RuntimeError, match='incomplete'):
        TeacherCache(tmp_path / 'cut')
    again = build_cache(tmp_path / 'cut', images, teacher, spec)
    assert np.array_equal(again.views, whole.views)
    for name in ('tokens', 'class_token', 'attention'):
        found, wanted = getattr(again, name), getattr(whole, name)
        assert np.allclose(found, wanted, atol=2e-2), name
        assert np.abs(wanted[:32]).max() > 0.04, name  # a gap would be full of zeros
    with pytest.raises(ValueError, match='other images'):
        build_cache(tmp_path / 'cut', images[:5], teacher, spec)


def test_a_cache_is_not_taken_for_another_teachers(pictures, teacher, tmp_path, resnet_file,
                                                   vit_teacher):
    own = described(TeacherConfig('resnet50', str(resnet_file)))
    images = find_images(pictures)[:4]
    build_cache(tmp_path, images, teacher, SPEC, own)
    build_cache(tmp_path, images, teacher, SPEC, own)
    vit = ViTConfig(**vit_teacher.pop('vit'))
    for other in (TeacherConfig(**vit_teacher, vit=vit),
                  TeacherConfig('resnet50', str(resnet_file), weight=2.0)):
        with pytest.raises(ValueError, match=f'{tmp_path} caches what another teacher says'):
            build_cache(tmp_path, images, teacher, SPEC, described(other))
    same_length = tmp_path / resnet_file.name
    same_length.write_bytes(resnet_file.read_bytes()[:-1] + b'?')
    with pytest.raises(ValueError, match='caches what another teacher says'):
        build_cache(tmp_path, images, teacher, SPEC,
                    described(TeacherConfig('resnet50', str(same_length))))


def test_other_pictures_of_the_same_names_are_other_pictures(pictures, teacher, tmp_path):
    folders = [tmp_path / day / 'lap' for day in ('monday', 'tuesday')]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        for i in range(3):
            cv2.imwrite(str(folder / f'{i}.png'), np.full((64, 64, 3), 50 * number + i, np.uint8))
    monday, tuesday = map(find_images, folders)
    assert [image.name for image in monday] == [image.name for image in tuesday]
    build_cache(tmp_path / 'cache', monday, teacher, SPEC)
    with pytest.raises(ValueError, match='other images'):
        build_cache(tmp_path / 'cache', tuesday, teacher, SPEC)
    file = tmp_path / 'cache' / 'cache.json'
    state = json.loads(file.read_text())
    state.pop('contents')  # as caches of before are
    file.write_text(json.dumps(state))
    build_cache(tmp_path / 'cache', monday, teacher, SPEC)


@pytest.mark.parametrize('damage', ['', '{}', '[1]', '{"names": 3'])
def test_a_damaged_cache_is_named(pictures, teacher, tmp_path, damage):
    images = find_images(pictures)[:4]
    build_cache(tmp_path, images, teacher, SPEC)
    (tmp_path / 'cache.json').write_text(damage)
    with pytest.raises(ValueError, match=f'{tmp_path}.*remove'):
        build_cache(tmp_path, images, teacher, SPEC)


def test_an_array_that_does_not_fit_is_named(tmp_path):
    path = tmp_path / 'tokens.npy'
    memory_map(path, np.float16, (3, 2))[1] = 7.0
    assert memory_map(path, np.float16, (3, 2)).tolist() == [[0, 0], [7, 7], [0, 0]]
    with pytest.raises(ValueError, match=r'tokens.npy holds float16 \(3, 2\), not'):
        memory_map(path, np.float16, (4, 2))
    path.write_bytes(b'')
    with pytest.raises(ValueError, match='tokens.npy is damaged'):
        memory_map(path, np.float16, (3, 2))


def test_a_disk_without_room_is_told_before_the_first_picture(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'posix_fallocate', full)
    with pytest.raises(OSError, match='no room for the cache: No space left on device.*a.npy'):
        memory_map(tmp_path / 'a.npy', np.float16, (3, 2))
    assert not list(tmp_path.iterdir())
