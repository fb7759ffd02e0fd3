# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import re

import pytest
from sample_data import ROOT
from tetra_vpr_ros.training.config import load_config, TrainConfig
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.loop.checkpoint import load_network
from tetra_vpr_ros.vision import default_model_path, shipped_models


@pytest.mark.parametrize('path', sorted((ROOT / 'config' / 'training').glob('*.yaml')),
                         ids=lambda path: path.stem)
def test_every_shipped_configuration_is_read(path):
    assert isinstance(load_config(path), TrainConfig)


def test_the_recipe_in_the_manual_is_read(tmp_path):
    manual = (ROOT / 'docs' / 'training.md').read_text()
    path = tmp_path / 'manual.yaml'
    path.write_text(re.search(r'```yaml\n(.*?)```', manual, re.DOTALL)[1])
    config = load_config(path)
    assert config.finetune.start.model == 'models/tetra_vits8_2048_free.onnx'
    shipped = load_network(default_model_path()).config
    assert config.network.aggregation == shipped.aggregation
    assert dataclasses.replace(config.network.vit, activations='static') == shipped.vit


@pytest.mark.parametrize('name', shipped_models())
def test_the_recipe_of_every_shipped_model_is_shipped(name):
    recipe = load_config(ROOT / 'config' / 'training' / f'{name}.yaml')
    shipped = load_network(shipped_models()[name]).config
    static = dataclasses.replace(recipe.network.vit, activations='static')
    written = dataclasses.replace(recipe.network, vit=static)
    if shipped.aggregation.kind == 'vlad':  # fitted after the training
        written = dataclasses.replace(written, aggregation=recipe.words.shape(recipe.network))
    assert written == shipped
    assert recipe.export.name == name


def test_the_paper_is_written_down():
    config = load_config(ROOT / 'config' / 'training' / 'tetra_base_paper.yaml')
    vit = config.network.vit
    assert (vit.width, vit.depth, vit.patch_size, vit.image_size) == (768, 12, 14, 322)
    assert (vit.norm, vit.scale_mode, vit.last_block_precision) == ('bitnet', 'tensor', 'float')
    assert config.distill.optimizer.learning_rate == 4e-4
    assert config.distill.optimizer.epochs == 30
    losses = config.distill.losses
    assert (losses.class_token, losses.patch, losses.attention) == (1.0, 0.3, 0.05)
    teacher = config.distill.teacher
    assert (teacher.kind, teacher.attention_layers, teacher.temperature) == ('dinov2', 4, 4.0)
    assert config.distill.q_schedule == 'sigmoid'


@pytest.mark.parametrize(('text', 'error'), [
    ('distil: {}', "unknown key 'distil'; did you mean 'distill'"),
    ('network: {vit: {image_size: 100}}', 'network.vit: image_size 100 is not a multiple'),
    ('network: {vit: {depth: deep}}', "network.vit.depth must be a whole number, not 'deep'"),
    ('distill: {optimizer: {bf16: 1}}', 'distill.optimizer.bf16 must be true or false'),
    ('distill: {q_schedule: step}', 'distill.q_schedule must be one of sigmoid, linear'),
    ('distill: {images: [a]}', 'distill.images must be a mapping'),
    ('distill: {images: {a: many}}', 'distill.images.a must be a whole number'),
    ('finetune: {places: {}}', 'finetune.places must be a list'),
    ('finetune: {places: [{kind: map}]}', r'finetune.places\[0\].kind must be one of gsv'),
    ('network: {vit: {image_size: [1, 2, 3]}}', 'network.vit.image_size'),
    ('network: {vit: {patch_size: 0}}', 'network.vit.patch_size must be at least 1, not 0'),
    ('distill: {optimizer: {save_every: 0}}', 'distill.optimizer.save_every must be at least 1'),
    ('distill: {optimizer: {steps: -3}}', 'distill.optimizer.steps must be at least 0, not -3'),
    ('distill: {images: {a: 0}}', 'distill.images.a must be at least 1, not 0'),
    ('distill: {clean_share: 1.5}', 'distill.clean_share must lie between 0 and 1, not 1.5'),
    ('distill: {losses: {patch: .nan}}', 'distill.losses.patch must be at least 0, not nan'),
    ('finetune: {places: [{weight: 0}]}', r'finetune.places\[0\].weight must be above 0, not 0.0'),
    ('finetune: {places: [{kind: frames, pattern: "(?P<frame>1)"}]}',
     r"finetune.places\[0\]: the pattern '.*' has no group 'sequence'"),
    ('validation: {patterns: ["("]}',
     r'validation.patterns\[0\] must be a regular expression \(missing \)'),
    ('seed: 1\nseed: 2', "is not YAML: the key 'seed' comes twice"),
    ('seed: {', 'is not YAML'), ('[]', 'the file must be a mapping')])
def test_what_is_wrong_is_named(tmp_path, text, error):
    path = tmp_path / 'wrong.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError, match=error) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


def test_numbers_are_read_as_they_are_meant(tmp_path):
    path = tmp_path / 'fine.yaml'
    path.write_text('distill: {optimizer: {learning_rate: 4e-4, epochs: 30}}\n'
                    'network: {vit: {image_size: [168, 224]}}\n')
    config = load_config(path)
    assert config.distill.optimizer.learning_rate == 0.0004
    assert config.distill.optimizer.epochs == 30.0
    assert config.network.vit.grid == (12, 16)
    with pytest.raises(ConfigError, match='cannot read'):
        load_config(tmp_path / 'none.yaml')
