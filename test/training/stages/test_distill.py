# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stage 1, small but whole, on rendered pictures."""

import csv
import shutil

import numpy as np
import pytest
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.stages.distill import distill as run_distill
from tetra_vpr_ros.training.stages.teacher_source import TeacherSource
import torch
from training_data import PAPER


def distill(config):
    return run_distill(config, config.distill)


def column(run, name):
    with (run / 'distill.csv').open(newline='') as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def test_an_interrupted_run_equals_an_uninterrupted_one(recipe, load, tmp_path, interrupted_at):
    config = load(recipe, run=str(tmp_path / 'whole'))
    whole = distill(config)
    config = load(recipe, run=str(tmp_path / 'cut'))
    with interrupted_at(4):
        distill(config)
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
             'distill__cache': str(tmp_path / 'cache'),
             'distill__q_schedule': 'sigmoid', 'distill__start': {},
             'distill__optimizer__learning_rate': 2e-3, 'distill__optimizer__steps': 40}
    distill(load(recipe, **steps))
    for name in ('class', 'patch', 'total'):
        values = column(tmp_path / 'run', name)
        assert values[-1] < values[0], name
    assert np.load(tmp_path / 'cache' / 'attention.npy', mmap_mode='r').shape == (
        33, 2, 2, 17, 17)
    shutil.rmtree(tmp_path / 'run')
    distill(load(recipe, **{**steps, 'distill__optimizer__steps': 3, 'distill__cache': ''}))
    assert np.isfinite(column(tmp_path / 'run', 'attention')).all()


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


def test_a_loss_that_is_not_finite_stops_and_names_the_images(recipe, load, cache_folder,
                                                              tmp_path):
    shutil.copytree(cache_folder, tmp_path / 'cache')
    tokens = np.load(tmp_path / 'cache' / 'tokens.npy', mmap_mode='r+')
    tokens[:24] = np.nan
    tokens.flush()
    with pytest.raises(FloatingPointError, match=r'step 0, images lap/walk_frame_\d\d'):
        distill(load(recipe, distill__cache=str(tmp_path / 'cache'),
                     distill__start={'trunk': '', 'fit_head': False},
                     distill__losses={'class_token': 0, 'patch': 1, 'attention': 0}))


def test_pictures_that_do_not_decode_are_skipped_and_counted(recipe, load, vit_teacher, capsys):
    distill(load(recipe, distill__teacher=vit_teacher, distill__cache='',
                 distill__losses={'class_token': 1, 'patch': 1, 'attention': 0},
                 distill__optimizer__steps=12, validation__patterns=[r'_frame_(2[4-9]|3\d)']))
    assert '1 of 33 images did not decode' in capsys.readouterr().out


def test_token_codes_learn_the_teachers(recipe, load, tmp_path):
    recipe['network']['token_bits'] = 32
    recipe['distill']['losses'] = {'class_token': 0, 'patch': 0, 'attention': 0, 'descriptor': 0,
                                   'tokens': 1}
    recipe['distill']['start']['fit_head'] = False
    network = distill(load(recipe, distill__optimizer__steps=60, distill__clean_share=1.0,
                           distill__optimizer__learning_rate=1e-3))
    losses = column(tmp_path / 'run', 'tokens')
    assert losses[-1] < 0.9 * losses[0]
    assert network.token_head.fitted


def test_an_epoch_shows_the_pictures_of_a_folder_repeatedly(recipe, load, tmp_path, monkeypatch):
    shown = []
    drawn = TeacherSource.batch

    def batch(self, rows, *rest):
        shown.extend(rows)
        return drawn(self, rows, *rest)

    monkeypatch.setattr(TeacherSource, 'batch', batch)
    recipe['distill']['repeat'] = dict.fromkeys(recipe['distill']['images'], 2)
    recipe['distill']['start'] = {}
    recipe['distill']['optimizer'].update(steps=1, batch=48)
    distill(load(recipe))
    assert np.bincount(shown).tolist() == [2] * 24


def test_the_head_of_the_tokens_starts_from_a_regression(recipe, load, tmp_path):
    recipe['network']['token_bits'] = 32
    recipe['distill']['losses']['tokens'] = 1
    losses = []
    for fit in (False, True):
        recipe['distill']['start']['fit_head'] = fit
        distill(load(recipe, run=str(tmp_path / str(fit)), distill__optimizer__steps=1))
        losses.append(column(tmp_path / str(fit), 'tokens')[0])
    assert losses[1] < losses[0]


@pytest.mark.parametrize('changes', [{'network__token_bits': 0}, {'distill__cache': ''}])
def test_a_token_loss_needs_codes_and_a_cache(recipe, load, changes):
    recipe['network']['token_bits'] = 32
    recipe['distill']['losses'].update(tokens=1, descriptor=0)
    if 'distill__cache' in changes:
        recipe['distill']['teacher']['dims'] = 0
    with pytest.raises(ConfigError, match=r'distill\.losses\.tokens needs'):
        distill(load(recipe, **changes))
