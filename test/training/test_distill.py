# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Cache, distillation, resume and export, small but whole, on rendered pictures."""

import dataclasses

import cv2
import numpy as np
import pytest
from safetensors.torch import save_file
from test_network import timm_state
from tetra_vpr_ros.training import distill as module
from tetra_vpr_ros.training.distill import distill, DistillConfig, progressive_factor, validate
from tetra_vpr_ros.training.pool import find_images, PoolImage, read_rgb
from tetra_vpr_ros.training.teacher_cache import build_cache, CacheSpec, TeacherCache
from tetra_vpr_ros.training.teachers import ResNet50Trunk
from tetra_vpr_ros.training.views import geometric_view, photometric_view
import torch

SPEC = CacheSpec(size=64, views=2, dims=32)


@pytest.fixture(scope='module')
def teacher():
    torch.manual_seed(0)
    return ResNet50Trunk().eval().requires_grad_(False)


@pytest.fixture(scope='module')
def pool(drive, tmp_path_factory):
    folder = tmp_path_factory.mktemp('pool') / 'rendered'
    folder.mkdir()
    for i in range(24):
        small = cv2.resize(drive[8 * i][2], (160, 120), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f'{i:02d}.png'), small[:, :, ::-1])
    (folder / '24.jpg').write_bytes(b'broken')
    return find_images([folder])


@pytest.fixture(scope='module')
def cache(pool, teacher, tmp_path_factory):
    return build_cache(tmp_path_factory.mktemp('cache'), pool, teacher, SPEC)


def test_pool_lists_decodes_and_splits(pool, tmp_path):
    assert len(pool) == 25
    assert read_rgb(pool[-1].path) is None
    assert read_rgb(pool[0].path).shape == (120, 160, 3)
    shares = [PoolImage(tmp_path, f'a/{i}').held_out for i in range(2000)]
    assert 0.03 < np.mean(shares) < 0.08
    with pytest.raises(FileNotFoundError, match='none'):
        find_images([tmp_path / 'none'])
    with pytest.raises(FileNotFoundError, match='no jpg or png'):
        find_images([tmp_path])


def test_views_keep_the_shape_and_change_the_picture(drive, rng):
    image = drive[0][2]
    for _ in range(30):
        view = geometric_view(image, 96, rng)
        assert view.shape == (96, 96, 3)
        changed = photometric_view(view, rng)
        assert changed.shape == view.shape
        assert changed.dtype == np.uint8


def test_cache_holds_views_and_tokens_and_skips_what_does_not_decode(cache, pool):
    assert cache.views.shape == (25, 2, 64, 64, 3)
    assert cache.tokens.shape == (25, 2, 16, 32)
    assert cache.valid.sum() == 24
    assert not cache.valid[24]
    assert np.isfinite(cache.tokens[:24].astype(np.float32)).all()
    whole = cv2.resize(read_rgb(pool[3].path), (64, 64), interpolation=cv2.INTER_AREA)
    assert np.array_equal(cache.views[3, 0], whole)


def test_an_interrupted_cache_continues_to_the_same_result(pool, teacher, cache, tmp_path):
    calls = []

    class Interrupted(torch.nn.Module):
        channels = teacher.channels

        def forward(self, image):
            calls.append(len(image))
            if calls.count(16) == 2:  # the second chunk of eight images with two views
                raise KeyboardInterrupt
            return teacher(image)

    with pytest.raises(KeyboardInterrupt):
        build_cache(tmp_path, pool, Interrupted(), SPEC)
    with pytest.raises(RuntimeError, match='incomplete'):
        TeacherCache(tmp_path)
    again = build_cache(tmp_path, pool, teacher, SPEC)
    assert np.array_equal(again.views, cache.views)
    assert np.allclose(again.tokens, cache.tokens, atol=2e-2)
    with pytest.raises(ValueError, match='other images'):
        build_cache(tmp_path, pool[:5], teacher, SPEC)


@pytest.fixture
def config(small_config):
    return DistillConfig(network=small_config, steps=6, batch=4, warmup=2, calibration=8,
                         save_every=2)


@pytest.fixture(scope='module')
def trunk(tmp_path_factory):
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp('trunk') / 'trunk.safetensors'
    save_file(timm_state(), str(path))
    return path


def test_an_interrupted_run_equals_an_uninterrupted_one(cache, config, trunk, tmp_path,
                                                        monkeypatch):
    whole = distill(config, cache, trunk, tmp_path / 'whole', fast=False)
    save = module.save_atomically

    def stop_after_four(state, path):
        save(state, path)
        if state['step'] == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, 'save_atomically', stop_after_four)
    with pytest.raises(KeyboardInterrupt):
        distill(config, cache, trunk, tmp_path / 'cut', fast=False)
    monkeypatch.undo()
    resumed = distill(config, cache, trunk, tmp_path / 'cut', fast=False)
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values()):
        assert torch.equal(a, b), name
    assert (tmp_path / 'whole' / 'log.csv').read_text().strip()


def test_distillation_lowers_the_loss(cache, config, trunk, tmp_path):
    longer = dataclasses.replace(config, steps=60, learning_rate=1e-3, clean_share=1.0)
    distill(longer, cache, trunk, tmp_path, fast=False)
    rows = [line.split(',') for line in (tmp_path / 'log.csv').read_text().split()]
    losses = [float(row[-2]) for row in rows]
    assert losses[-1] < losses[0]


def test_a_loss_that_is_not_finite_stops_with_the_step(cache, config, trunk, tmp_path):
    class Broken:
        names, valid = cache.names, cache.valid
        views = cache.views
        tokens = np.full(cache.tokens.shape, np.nan, np.float16)

    fitted = module.fit_target(cache, np.arange(20), 2, 128)
    with pytest.raises(ValueError, match='need 64 teacher'):
        module.fit_target(cache, np.arange(20), 2, 256)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, 'fit_target', lambda *a, **k: fitted)
        patch.setattr(module, 'fit_heads', lambda *a, **k: None)
        with pytest.raises(FloatingPointError, match='step 0'):
            distill(config, Broken(), trunk, tmp_path, fast=False)


def test_schedule_and_validation(cache, small_config):
    assert progressive_factor(0.0) < 0.003
    assert progressive_factor(6 / 16) == pytest.approx(0.5)
    assert progressive_factor(1.0) > 0.999
    recall = validate(module.PlaceNetwork(small_config), cache, np.arange(10))
    assert set(recall) == {'float', 'binary'}
    assert all(0 <= value <= 1 for value in recall.values())
