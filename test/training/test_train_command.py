# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The four verbs, one after another, as a user runs them."""

import shutil

import pytest
from tetra_vpr_ros.training import train
from tetra_vpr_ros.vision import PlaceEncoder
from training_data import write_config


def test_from_pictures_to_a_model_file(recipe, pictures, tmp_path, capsys, monkeypatch):
    recipe['network']['token_bits'] = 32
    config = str(write_config(tmp_path / 'recipe.yaml', recipe,
                              distill__cache=str(tmp_path / 'cache')))
    assert train.main(['distill', '--config', config]) == 0
    assert train.main(['finetune', '--config', config]) == 0
    assert 'recall@1 binary' in capsys.readouterr().out
    assert train.main(['evaluate', '--config', config]) == 0
    assert 'finetune_best.pt: 128 bits' in capsys.readouterr().out
    assert train.main(['tokens', '--config', config]) == 0
    assert 'tokens.pt: 32 bits of a token' in capsys.readouterr().out
    assert train.main(['export', '--config', config]) == 0
    out = tmp_path / 'models' / 'small.onnx'
    assert 'MB, from' in capsys.readouterr().out
    info = PlaceEncoder(out).info
    assert (info.name, info.version, info.bits, info.height) == ('small', '7', 128, 56)
    assert (info.token_grid, info.token_bits) == ((4, 4), 32)
    traverse = tmp_path / 'traverse'
    shutil.copytree(pictures, traverse)
    for model in (str(out), str(tmp_path / 'run' / 'distill.pt')):
        assert train.main(['evaluate', '--config', config, '--checkpoint', model, '--database',
                           str(traverse), '--queries', str(traverse), '--tolerance', '0']) == 0
        printed = capsys.readouterr().out
        assert 'binary: 100.0 % of 32' in printed  # every picture finds itself
    # One that does not decode makes no other frame of those behind it.
    gap = tmp_path / 'gap'
    shutil.copytree(pictures, gap)
    min(gap.glob('*')).write_bytes(b'broken')
    assert train.main(['evaluate', '--config', config, '--database', str(traverse), '--queries',
                       str(gap), '--tolerance', '0']) == 0
    assert 'binary: 100.0 % of 31' in capsys.readouterr().out
    # Fine-tuning may start from a model file, such as the shipped one.
    own = str(write_config(tmp_path / 'own.yaml', recipe, finetune__start={'model': str(out)},
                           run=str(tmp_path / 'own'), finetune__optimizer__steps=1))
    assert train.main(['finetune', '--config', own]) == 0
    # It goes by its name where it comes with the package.
    monkeypatch.setattr('tetra_vpr_ros.vision.model_file.shipped_models', lambda: {'own': out})
    assert train.main(['evaluate', '--config', config, '--checkpoint', 'own']) == 0
    # And be stored in another format, without a recipe.
    other = tmp_path / 'float.onnx'
    assert train.main(['export', '--checkpoint', str(out), '--format', 'float32',
                       '--out', str(other)]) == 0
    info = PlaceEncoder(other).info
    assert (info.name, info.version, info.token_bits) == ('float', '7', 32)


def test_visual_words_are_fitted_exported_and_trained_further(recipe, tmp_path, capsys):
    config = str(write_config(tmp_path / 'recipe.yaml', recipe,
                              words={'words': 2, 'channels': 8, 'bits': 16}))
    assert train.main(['distill', '--config', config]) == 0
    assert train.main(['words', '--config', config]) == 0
    assert 'words.pt: 16 bits of 2 words, the rest from' in capsys.readouterr().out
    assert train.main(['export', '--config', config]) == 0
    assert PlaceEncoder(tmp_path / 'models' / 'small.onnx').info.bits == 16
    # Stage 2 goes on from them, but never from an aggregation that nobody has fitted.
    assert train.main(['finetune', '--config', config]) == 1
    said = capsys.readouterr().err
    assert 'another aggregation than network.aggregation' in said
    assert 'kind: vlad' in said and 'clusters: 2' in said
    shape = {'kind': 'vlad', 'bits': 16, 'clusters': 2, 'cluster_dims': 8, 'precision': 'ternary'}
    config = str(write_config(tmp_path / 'recipe.yaml', recipe, network__aggregation=shape,
                              finetune__optimizer__steps=1))
    assert train.main(['finetune', '--config', config]) == 0


def test_errors_are_told_in_one_line(recipe, tmp_path, capsys, monkeypatch):
    def error_of(*arguments):
        assert train.main(list(arguments)) == 1
        text = capsys.readouterr().err
        assert text.startswith('error: ')
        assert 'Traceback' not in text
        return text

    config = str(write_config(tmp_path / 'recipe.yaml', recipe))
    assert 'holds no checkpoint' in error_of('export', '--config', config)
    assert 'no such checkpoint' in error_of(
        'evaluate', '--config', config, '--checkpoint', 'none.onnx')
    broken = write_config(tmp_path / 'broken.yaml', recipe, distill__teacher__path='none')
    assert 'no such teacher file' in error_of('distill', '--config', str(broken))
    broken = write_config(tmp_path / 'broken.yaml', recipe, distill__images={'none': 1})
    assert 'no such image folder: none' in error_of('distill', '--config', str(broken))
    assert 'cannot read' in error_of('distill', '--config', str(tmp_path / 'none.yaml'))
    broken = write_config(tmp_path / 'broken.yaml', recipe, distil={})
    assert "did you mean 'distill'" in error_of('distill', '--config', str(broken))
    from tetra_vpr_ros.training import verbs

    def interrupted(config, stage):
        raise KeyboardInterrupt

    monkeypatch.setattr(verbs, 'run_distill', interrupted)
    assert train.main(['distill', '--config', config]) == 130
    assert 'the same command continues' in capsys.readouterr().err


def test_without_torch_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__('sys').modules, 'tetra_vpr_ros.training.verbs', None)
    monkeypatch.delattr('tetra_vpr_ros.training.verbs', raising=False)
    assert train.main(['distill', '--config', 'x.yaml']) == 1
    assert 'pip install "tetra_vpr_ros[training]"' in capsys.readouterr().err


def test_the_help_names_the_verbs(capsys):
    with pytest.raises(SystemExit):
        train.main(['--help'])
    printed = capsys.readouterr().out
    assert all(verb in printed for verb in ('distill', 'finetune', 'export', 'evaluate'))


def test_between_a_network_and_what_became_of_it(recipe, tmp_path, capsys):
    first = str(write_config(tmp_path / 'first.yaml', recipe))
    assert train.main(['distill', '--config', first]) == 0
    assert train.main(['export', '--config', first]) == 0
    begun = str(tmp_path / 'models' / 'small.onnx')
    second = str(write_config(
        tmp_path / 'second.yaml', recipe, run=str(tmp_path / 'second'),
        distill={**recipe['distill'], 'start': {'model': begun}},
        interpolate={'start': begun, 'share': 0.5}))
    assert train.main(['distill', '--config', second]) == 0
    capsys.readouterr()
    assert train.main(['interpolate', '--config', second]) == 0
    between = tmp_path / 'second' / 'interpolate.pt'
    once = between.read_bytes()
    assert train.main(['interpolate', '--config', second]) == 0  # not of what it wrote itself
    assert between.read_bytes() == once
    said = capsys.readouterr().out
    assert said.count(f'{between}: 0.5 of {tmp_path}/second/distill') == 2
    assert said.endswith(f'the rest of {begun}\n')
    other = tmp_path / 'between.onnx'
    assert train.main(['export', '--config', second, '--out', str(other)]) == 0
    assert f'from {between}' in capsys.readouterr().out
    assert PlaceEncoder(other).info.bits == 128
