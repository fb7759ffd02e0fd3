# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Stage 2, small but whole, on rendered pictures."""

import csv
import shutil

import numpy as np
import pytest
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.data.pool import find_images
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
from tetra_vpr_ros.training.stages.distill import distill
from tetra_vpr_ros.training.stages.finetune import finetune as run_finetune
from tetra_vpr_ros.training.stages.finetune import open_training_sets, PlaceLoss
from tetra_vpr_ros.training.stages.finetune_config import FinetuneConfig
from tetra_vpr_ros.training.stages.place_batch import PlaceBatch
import torch


@pytest.fixture
def second(recipe, trunk_file):
    """Return a recipe whose second stage starts from the trunk."""
    recipe['finetune']['start'] = {'trunk': str(trunk_file), 'calibration': 8}
    return recipe


def finetune(config):
    return run_finetune(config, config.finetune, config.structure)


def total(run):
    with (run / 'finetune.csv').open(newline='') as file:
        return [float(row['total']) for row in csv.DictReader(file)]


def test_it_lowers_the_loss_and_resumes_exactly(second, load, tmp_path, interrupted_at):
    changes = {'finetune__optimizer__steps': 24, 'finetune__optimizer__save_every': 8,
               'finetune__optimizer__validate_every': 100,
               'finetune__optimizer__learning_rate': 5e-4}
    whole = finetune(load(second, **changes))
    losses = total(tmp_path / 'run')
    assert losses[-1] < losses[0]
    cut = load(second, **changes, run=str(tmp_path / 'cut'))
    with interrupted_at(16):
        finetune(cut)
    resumed = finetune(cut)
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values()):
        assert torch.equal(a, b), name


def test_frozen_blocks_do_not_move(second, load):
    config = load(second, finetune__freeze_blocks=1, finetune__optimizer__steps=2)
    network = finetune(config)
    fresh = finetune(load(second, finetune__freeze_blocks=1, finetune__optimizer__steps=2,
                          run=config.run + '2', finetune__optimizer__learning_rate=0.0))
    assert torch.equal(network.backbone.blocks[0].fc1.weight,
                       fresh.backbone.blocks[0].fc1.weight)
    assert not torch.equal(network.backbone.blocks[1].fc1.weight,
                           fresh.backbone.blocks[1].fc1.weight)


def test_the_loss_is_small_for_places_that_are_told_apart(small_config):
    torch.manual_seed(0)
    network = PlaceNetwork(small_config)
    loss = PlaceLoss(FinetuneConfig(), network)
    embedding = torch.randn(4, 128).repeat_interleave(2, 0)
    labels = torch.arange(4).repeat_interleave(2)
    mixed = labels.roll(1)
    assert loss._place(embedding, labels) < loss._place(embedding, mixed)
    images = torch.randint(0, 255, (4, 56, 56, 3), dtype=torch.uint8)
    batch = PlaceBatch(['a'] * 4, list(images.numpy()),
                       torch.tensor([0, 0, 1, 1]))
    early, late = (loss(batch, share) for share in (0.0, 1.0))
    assert early['total'].item() == pytest.approx(early['float'].item(), rel=0.01)
    assert late['total'].item() == pytest.approx(late['binary'].item(), rel=0.01)
    keeping = PlaceLoss(FinetuneConfig(keep=1.0), network)
    assert keeping(batch, 0.0)['keep'].item() == pytest.approx(0.0, abs=1e-3)


def test_what_is_held_out_is_not_trained_on(second, load):
    config = load(second)
    for part in open_training_sets(config.finetune.places, config.validation.held_out()):
        numbers = {int(image.path.stem[-2:]) for image in part.images}
        assert numbers == {*range(24), 99}  # the last one does not decode, which shows later


def test_what_is_held_out_is_known_through_any_folder(pictures, second, load):
    """A picture's name depends on the folder through which it is reached."""
    held = load(second).validation.held_out()
    above = find_images(pictures.parent)
    assert {image.path for image in above if held.holds(image)} == {
        image.path for image in find_images(pictures) if held(image.name)}


def test_pictures_of_one_name_are_refused(pictures, second, load, tmp_path):
    twin = tmp_path / 'elsewhere' / pictures.name
    shutil.copytree(pictures, twin)
    places = second['finetune']['places']
    second['finetune']['places'] = [*places, {**places[0], 'path': str(twin)}]
    with pytest.raises(ValueError, match='have one name, .*: rename one of the folders'):
        finetune(load(second))


def test_a_run_goes_on_with_what_it_was_begun_with(second, load, capsys):
    finetune(load(second))
    with pytest.raises(ConfigError, match=r'begun with finetune\.keep: 0\.0, not 0\.5'):
        finetune(load(second, finetune__keep=0.5))
    finetune(load(second, finetune__optimizer__save_every=5))
    assert 'already: nothing is trained' in capsys.readouterr().out


def test_without_a_start_it_needs_stage_one(recipe, load):
    with pytest.raises(ConfigError, match="run 'train distill' first"):
        finetune(load(recipe))
    with pytest.raises(ConfigError, match=r'finetune\.places names no'):
        finetune(load(recipe, finetune__places=[]))


def test_the_second_looks_loss_trains_the_head_of_the_tokens(recipe, load, tmp_path):
    recipe['network']['token_bits'] = 32
    recipe['distill']['losses']['tokens'] = 1
    before = distill(load(recipe), load(recipe).distill).token_head.weight.clone()
    network = finetune(load(recipe, finetune__tokens=1.0, finetune__one_set=True,
                            finetune__optimizer__steps=24,
                            finetune__optimizer__learning_rate=5e-4))
    assert not torch.equal(network.token_head.weight, before)
    with (tmp_path / 'run' / 'finetune.csv').open(newline='') as file:
        losses = [float(row['tokens']) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]


def test_patches_learn_to_find_the_same_point(recipe, load, tmp_path, rendered):
    recipe['network']['token_bits'] = 32
    recipe['distill']['losses']['tokens'] = 1
    distill(load(recipe), load(recipe).distill)
    recipe['finetune']['places'] = [
        {'kind': 'utm', 'path': str(rendered / 'views'), 'depth': str(rendered / 'depth'),
         'radius': 2.5, 'apart': 3.0}]
    losses = []
    for rate in (0.0, 3e-3):  # the same pictures at each step
        finetune(load(recipe, finetune__points=1.0, finetune__optimizer__steps=121,
                      finetune__optimizer__learning_rate=rate,
                      finetune__optimizer__validate_every=100))
        table = tmp_path / 'run' / 'finetune.csv'
        with table.open(newline='') as file:
            losses.append([float(row['points']) for row in csv.DictReader(file)])
        for left in (tmp_path / 'run').glob('finetune*'):
            left.unlink()
    assert losses[1][0] == losses[0][0]
    half = len(losses[0]) // 2  # one batch says little
    assert np.mean(losses[1][half:]) < 0.9 * np.mean(losses[0][half:]), losses


def test_the_second_looks_loss_needs_a_head_to_start_from(second, load):
    with pytest.raises(ConfigError, match=r"distill\.losses\.tokens, or run 'train tokens'"):
        finetune(load(second, finetune__tokens=1.0, network__token_bits=32))


@pytest.mark.parametrize('loss', ['tokens', 'points'])
@pytest.mark.parametrize('changes', [{}, {'network__token_bits': 32, 'finetune__views': 1}])
def test_losses_of_tokens_need_codes_and_two_views(second, load, loss, changes):
    with pytest.raises(ConfigError, match=rf'finetune\.{loss} needs network\.token_bits and two'):
        finetune(load(second, **{f'finetune__{loss}': 1.0}, **changes))
