# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stage 1, small but whole, on rendered pictures."""

import csv
import shutil

import cv2
import numpy as np
import pytest
from safetensors.torch import load_file
from tetra_vpr_ros.training.config import ConfigError
from tetra_vpr_ros.training.data.pool import find_images, read_rgb
from tetra_vpr_ros.training.data.views import geometric_view, photometric_view
from tetra_vpr_ros.training.loop import loop as loop_module
from tetra_vpr_ros.training.network.aggregation import AggregationConfig
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
from tetra_vpr_ros.training.network.vit import load_timm_trunk
from tetra_vpr_ros.training.stages.distill import (
    align, distill, DistillationLoss, DistillBatch, DistillHeads)
from tetra_vpr_ros.training.teachers.cache import build_cache, CacheSpec, TeacherCache
from tetra_vpr_ros.training.teachers.targets import fit_target, ridge_regression
from tetra_vpr_ros.training.teachers.teachers import open_teacher, TeacherConfig
import torch

SPEC = CacheSpec(size=64, views=2, dims=32)
PAPER = {'class_token': 1.0, 'patch': 0.3, 'attention': 0.05, 'descriptor': 0}


@pytest.fixture(scope='module')
def teacher(resnet_file):
    return open_teacher(TeacherConfig('resnet50', str(resnet_file)))


@pytest.fixture(scope='module')
def cache(pictures, teacher, tmp_path_factory):
    return build_cache(tmp_path_factory.mktemp('cache'), find_images(pictures), teacher, SPEC)


@pytest.fixture
def vit_teacher(trunk_file):
    return {'kind': 'vit', 'path': str(trunk_file), 'image_size': 56, 'dims': 0,
            'attention_layers': 2, 'vit': {'image_size': 56, 'width': 48, 'depth': 2, 'heads': 3}}


def column(run, name):
    with (run / 'distill.csv').open(newline='') as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def test_views_keep_the_shape_and_change_the_picture(drive, rng):
    image = drive[0][2]
    for _ in range(60):
        view = geometric_view(image, 96, rng)
        assert view.shape == (96, 96, 3)
        changed = photometric_view(view, rng)
        assert changed.shape == view.shape
        assert changed.dtype == np.uint8


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


def test_an_interrupted_cache_continues_to_the_same_result(pictures, teacher, cache, tmp_path):
    calls = []

    class Interrupted:
        patch_channels, class_channels = teacher.patch_channels, 0

        def __call__(self, image):
            calls.append(len(image))
            if calls.count(16) == 2:  # the second chunk of eight images with two views
                raise KeyboardInterrupt
            return teacher(image)

    images = find_images(pictures)
    with pytest.raises(KeyboardInterrupt):
        build_cache(tmp_path, images, Interrupted(), SPEC)
    with pytest.raises(RuntimeError, match='incomplete'):
        TeacherCache(tmp_path)
    again = build_cache(tmp_path, images, teacher, SPEC)
    assert np.array_equal(again.views, cache.views)
    assert np.allclose(again.tokens, cache.tokens, atol=2e-2)
    with pytest.raises(ValueError, match='other images'):
        build_cache(tmp_path, images[:5], teacher, SPEC)


def test_the_target_is_centred_and_has_unit_variance(cache):
    rows = np.arange(32)
    target = fit_target(cache, rows, AggregationConfig(rows=2, cols=2, bits=128))
    tokens = torch.from_numpy(cache.tokens[:32, 0].astype(np.float32))
    wanted = target(tokens)
    assert wanted.shape == (32, 128)
    assert wanted.mean(0).abs().max() < 1e-3
    assert wanted.std() == pytest.approx(1.0, abs=0.05)
    with pytest.raises(ValueError, match='need 64 teacher dimensions'):
        fit_target(cache, rows, AggregationConfig(rows=2, cols=2, bits=256))


def test_ridge_regression_finds_a_linear_map():
    x, weight, bias = torch.randn(500, 6), torch.randn(3, 6), torch.randn(3)
    found, shift = ridge_regression(x, x @ weight.T + bias, ridge=1e-6)
    assert torch.allclose(found, weight, atol=1e-3)
    assert torch.allclose(shift, bias, atol=1e-3)


def test_a_token_map_is_aligned_with_the_students_grid():
    rows = torch.arange(8.0).reshape(1, 8, 1, 1).expand(1, 8, 8, 2).reshape(1, 64, 2)
    aligned = align(rows, (8, 8), (4, 6))
    assert aligned.shape == (1, 24, 2)
    by_row = aligned.reshape(4, 6, 2)[:, 0, 0]
    assert torch.allclose(by_row, torch.tensor([0.5, 2.5, 4.5, 6.5]), atol=0.3)
    assert align(rows, (8, 8), (8, 8)) is rows


def test_an_interrupted_run_equals_an_uninterrupted_one(recipe, load, tmp_path, monkeypatch):
    config = load(recipe, run=str(tmp_path / 'whole'))
    whole = distill(config)
    save = loop_module.save_atomically

    def stop_after_four(state, path):
        save(state, path)
        if state['step'] == 4 and path.name == 'distill.pt':
            raise KeyboardInterrupt

    config = load(recipe, run=str(tmp_path / 'cut'))
    monkeypatch.setattr(loop_module, 'save_atomically', stop_after_four)
    with pytest.raises(KeyboardInterrupt):
        distill(config)
    monkeypatch.undo()
    resumed = distill(config)
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values()):
        assert torch.equal(a, b), name
    assert column(tmp_path / 'whole', 'total') == column(tmp_path / 'cut', 'total')
    assert column(tmp_path / 'cut', 'step') == [0, 5]
    assert list((tmp_path / 'cut' / 'tensorboard' / 'distill').glob('events*'))
    assert (tmp_path / 'cut' / 'distill_best.pt').exists()


def test_our_recipe_lowers_the_loss(recipe, load, tmp_path):
    distill(load(recipe, distill__optimizer__steps=60, distill__clean_share=1.0,
                 distill__optimizer__learning_rate=1e-3))
    losses = column(tmp_path / 'run', 'total')
    assert losses[-1] < 0.95 * losses[0]


def test_the_papers_losses_with_a_vit_teacher_cached_or_not(recipe, load, vit_teacher, tmp_path):
    steps = {'distill__teacher': vit_teacher, 'distill__losses': PAPER,
             'distill__q_schedule': 'sigmoid', 'distill__start': {},
             'distill__optimizer__learning_rate': 2e-3, 'distill__optimizer__steps': 40}
    distill(load(recipe, **steps))
    for name in ('class', 'patch', 'total'):
        values = column(tmp_path / 'run', name)
        assert values[-1] < values[0], name
    assert np.load(tmp_path / 'cache' / 'attention.npy', mmap_mode='r').shape == (
        33, 2, 2, 17, 17)
    shutil.rmtree(tmp_path / 'run')
    distill(load(recipe, **{**steps, 'distill__optimizer__steps': 3}, distill__cache=''))
    assert np.isfinite(column(tmp_path / 'run', 'attention')).all()


def test_attention_that_equals_the_teachers_costs_nothing(recipe, load, vit_teacher, trunk_file):
    stage = load(recipe, distill__teacher=vit_teacher, distill__losses=PAPER,
                 distill__q_schedule='sigmoid').distill
    teacher = open_teacher(stage.teacher)
    images = torch.randint(0, 255, (3, 56, 56, 3), dtype=torch.uint8)
    out = teacher(images)
    batch = DistillBatch(['a', 'b', 'c'], images, out.patches, out.class_token, out.attention)
    terms = {}
    for start in ('same', 'random'):
        network = PlaceNetwork(load(recipe).network)
        if start == 'same':
            load_timm_trunk(network.backbone, load_file(str(trunk_file)))
        loss = DistillationLoss(stage, network, DistillHeads(48, 48, 48), out.grid, None)
        terms[start] = loss(batch, 0.0)['attention'].item()
    assert abs(terms['same']) < 0.1 * terms['random']


def test_what_contradicts_itself_is_refused(recipe, load, vit_teacher):
    with pytest.raises(ConfigError, match='attention_layers, or the weight to 0'):
        distill(load(recipe, distill__losses=PAPER))
    larger = {**vit_teacher, 'image_size': 70, 'vit': {**vit_teacher['vit'], 'image_size': 70}}
    with pytest.raises(ConfigError, match=r'mend distill\.teacher\.image_size'):
        distill(load(recipe, distill__losses=PAPER, distill__teacher=larger,
                     distill__cache=''))
    with pytest.raises(ConfigError, match=r'descriptor needs distill\.cache'):
        distill(load(recipe, distill__cache=''))
    with pytest.raises(ConfigError, match='dims needs'):
        distill(load(recipe, distill__cache='', distill__losses={'patch': 1}))
    with pytest.raises(ValueError, match='batch 4 does not divide over 3'):
        distill(load(recipe, distill__optimizer__accumulate=3))
    with pytest.raises(ConfigError, match='hold out only 0 images'):
        distill(load(recipe, validation__patterns=['nothing']))
    with pytest.raises(ConfigError, match='fewer than a batch'):
        distill(load(recipe, validation__patterns=['.']))


def test_a_loss_that_is_not_finite_stops_and_names_the_images(recipe, load, tmp_path):
    distill(load(recipe, distill__optimizer__steps=1))
    tokens = np.load(tmp_path / 'cache' / 'tokens.npy', mmap_mode='r+')
    tokens[:24] = np.nan
    tokens.flush()
    shutil.rmtree(tmp_path / 'run')
    with pytest.raises(FloatingPointError, match=r'step 0, images lap/walk_frame_\d\d'):
        distill(load(recipe, distill__start={'trunk': '', 'fit_head': False},
                     distill__losses={'class_token': 0, 'patch': 1, 'attention': 0}))


def test_pictures_that_do_not_decode_are_skipped_and_counted(recipe, load, vit_teacher, capsys):
    distill(load(recipe, distill__teacher=vit_teacher, distill__cache='',
                 distill__losses={'class_token': 1, 'patch': 1, 'attention': 0},
                 distill__optimizer__steps=12, validation__patterns=[r'_frame_(2[4-9]|3\d)']))
    assert '1 of 33 images did not decode' in capsys.readouterr().out
