# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Structural knowledge from label maps to the table that says whether it helps, in small."""

import csv

import numpy as np
import pytest
from tetra_vpr_ros.simulation.sample_views import sample_level
from tetra_vpr_ros.training.config import ConfigError, StructureConfig
from tetra_vpr_ros.training.data.label_maps import read_label_map
from tetra_vpr_ros.training.loop.checkpoint import load_network
from tetra_vpr_ros.training.network.place_network import PlaceNetwork
from tetra_vpr_ros.training.stages.ablation import Arm, ARMS, table
from tetra_vpr_ros.training.stages.finetune import finetune
from tetra_vpr_ros.training.structure import structural_knowledge as structure
from tetra_vpr_ros.training.structure.data import open_labelled_sets
from tetra_vpr_ros.training.structure.loss import StructureLoss
from tetra_vpr_ros.training.structure.sample_weights import GROUPS, SampleWeights
from tetra_vpr_ros.training.train import main
import torch
from torch.nn import functional as F
import yaml


@pytest.fixture(scope='module')
def rendered(tmp_path_factory):
    """Return pictures and label maps of twelve places of a level."""
    folder = tmp_path_factory.mktemp('rendered')
    for name in ('views', 'maps'):
        (folder / name).mkdir()
    sample_level('map03', 24, folder / 'views', views=3, labels=folder / 'maps')
    return folder


@pytest.fixture
def structured(recipe, rendered, trunk_file):
    places = {'kind': 'utm', 'path': str(rendered / 'views'), 'radius': 2.5,
              'apart': 3.0}
    recipe['validation'] = {'patterns': ['@map03-00[89]@|@map03-01'], 'places': [places]}
    recipe['finetune'].update(places=[places], start={'trunk': str(trunk_file), 'calibration': 8})
    recipe['finetune']['optimizer']['steps'] = 4
    recipe['structure'] = {
        'sets': [{'places': places, 'labels': str(rendered / 'maps'), 'classes': 'worlds'}],
        'branch': {'side': 12, 'width': 24, 'depth': 1, 'heads': 2, 'rows': 2, 'cols': 2,
                   'dims': 64},
        'optimizer': {'batch': 4, 'steps': 30, 'learning_rate': 2e-3, 'save_every': 10,
                      'bf16': False},
        'right': 2, 'weight': 1.0}
    return recipe


def test_the_branch_learns_places_and_continues(structured, load):
    config = load(structured)
    sets = open_labelled_sets(config, held_out=False)
    branch = structure.train_branch(config, sets)
    again = structure.train_branch(config, sets)  # is there already
    assert all(torch.equal(a, b) for a, b in zip(branch.parameters(), again.parameters()))
    weights = structure.embed_maps(branch, sets[0])
    assert torch.allclose(weights.norm(dim=1), torch.ones(len(sets[0])), atol=1e-5)
    codes = branch.blocks[0].fc1.codes()
    assert set(codes.unique().tolist()) <= {-1, 0, 1}
    with (open(f'{config.run}/structure.csv', newline='')) as file:
        losses = [float(row['total']) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]


@pytest.mark.timeout(240)
def test_from_label_maps_to_the_table(structured, load, tmp_path, capsys):
    load(structured)
    path = str(tmp_path / 'config.yaml')
    assert main(['audit', '--config', path]) == 0
    told = capsys.readouterr().out
    counts = dict(part.split(': ') for part in told.splitlines()[0].split(', '))
    assert set(counts) == set(GROUPS)
    assert 30 < sum(map(int, counts.values())) < 46  # fifteen held-out places, most seen thrice
    # An RGB network that was never trained: here structure alone may well be right.
    worth = int(counts['structure']) >= structure.FEWEST
    assert ('do not train with structure' in told) != worth
    assert main(['ablate', '--config', path, '--seeds', '1']) == 0
    told = capsys.readouterr().out
    assert all(f'| {arm} |' in told for arm in ARMS)
    run = tmp_path / 'run'
    weights = SampleWeights.read(run / 'structure_weights.csv')
    assert len(weights.names) > 10
    assert not any('@map03-009@' in name for name in weights.names)  # held out
    assert (run / 'structure_weights.png').stat().st_size > 5000
    rows = [(run / 'ablate' / f'{arm}_0' / 'finetune.csv').read_text().splitlines()
            for arm in ARMS]
    assert 'structure' not in rows[0][0]
    assert all('structure' in row[0] for row in rows[1:])
    # Same seed, same pictures: before the first update all arms see the same place loss.
    first = [next(csv.DictReader(row)) for row in rows]
    assert len({row['float'] for row in first}) == 1
    assert first[1]['structure'] != first[2]['structure']
    assert main(['ablate', '--config', path, '--seeds', '1']) == 0  # nothing is trained again
    assert capsys.readouterr().out == told[told.index('| structure |'):]


def test_pictures_without_labels_are_their_own_places(structured, load, rendered):
    structured['structure']['sets'][0]['places'] = {
        'kind': 'images', 'path': str(rendered / 'views')}
    structured['structure']['optimizer']['steps'] = 2
    config = load(structured)
    sets = open_labelled_sets(config, held_out=False)
    branch = structure.train_branch(config, sets)
    weights, _ = structure.rank_samples(PlaceNetwork(config.network), branch, sets, 2, 0)
    assert len(weights.names) == len(sets[0])  # every picture has a positive: itself
    assert weights.structure.max() > 1  # cut, and after two steps, it is not always found
    again, _ = structure.rank_samples(PlaceNetwork(config.network), branch, sets, 2, 0)
    assert np.array_equal(again.structure, weights.structure)


def test_stage_2_with_features_resumes(structured, load, tmp_path):
    """The projection is trained along, and thrown away."""
    structured['structure']['loss'] = 'feature'
    structured['structure']['right'] = 50  # every teacher is right: all pictures are taught
    network = finetune(load(structured))
    again = finetune(load(structured))
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters()))
    state = torch.load(tmp_path / 'run' / 'finetune.pt', weights_only=True)
    assert set(state['structure']) == {'project.weight'}
    assert load_network(tmp_path / 'run' / 'finetune.pt').config == network.config


def knowledge(names=('a', 'b', 'c', 'd'), weights=(1.0, 0.5, 0.0, 1.0)):
    teacher = F.normalize(torch.randn(len(names), 8, generator=torch.Generator().manual_seed(1)))
    ranks = np.ones(len(names), int)
    return (SampleWeights(list(names), ranks, ranks, np.zeros(len(names), int),
                          np.array(weights)), dict(zip(names, teacher)))


def test_only_weighted_pictures_are_pulled():
    weights, embeddings = knowledge()
    term = StructureLoss(weights, embeddings, 16, StructureConfig(loss='feature'), 0)
    student = torch.randn(5, 16, requires_grad=True)
    loss = term(['a', 'b', 'c', 'd', 'without'], student, student.sign(), torch.arange(5))
    unit = F.normalize(term.project(student))
    wanted = sum(w * (unit[i] - embeddings[n]).square().sum()
                 for i, (n, w) in enumerate(zip('abcd', (1.0, 0.5, 0.0, 1.0)))) / 5
    assert torch.allclose(loss, wanted)
    loss.backward()
    moved = student.grad.abs().sum(1)
    assert (moved[[0, 1, 3]] > 0).all()
    assert (moved[[2, 4]] == 0).all()


def test_margins_that_are_large_enough_are_left_alone():
    names = ['a', 'b', 'c', 'd']
    apart = torch.eye(2).repeat_interleave(2, 0)  # two places, far apart
    weights, _ = knowledge(names, (1.0,) * 4)
    teacher = dict(zip(names, F.normalize(apart + 0.2)))
    term = StructureLoss(weights, teacher, 2, StructureConfig(), 0)
    labels = torch.tensor([0, 0, 1, 1])
    assert term(names, apart, apart, labels) == 0  # wider than the teacher's
    mixed = torch.tensor([[1.0, 1], [1, -1], [1, 1], [1, -1]])
    assert term(names, mixed, mixed, labels) > 0.5
    assert term(['x', 'y'], mixed[:2], mixed[:2], labels[:2]) == 0  # nobody knows them


def test_controls_change_who_says_what():
    weights, embeddings = knowledge(tuple('abcdefgh'), tuple(np.linspace(0, 1, 8)))
    true, shuffled, random = (
        StructureLoss(weights, embeddings, 4, StructureConfig(control=c), 3)
        for c in ('true', 'shuffled', 'random'))
    assert true._weight == shuffled._weight
    assert not torch.equal(true.values, shuffled.values)
    assert torch.equal(true.values.sort(0).values, shuffled.values.sort(0).values)
    assert torch.equal(true.values, random.values)
    assert sorted(true._weight.values()) == sorted(random._weight.values())
    assert true._weight != random._weight


@pytest.mark.parametrize('gain, low, random, says', [
    (0.04, 0.01, 0.0, 'wins outside the noise'), (0.04, -0.01, 0.0, 'does not win'),
    (0.04, 0.01, 0.05, 'A control gains as much')])
def test_the_verdict(gain, low, random, says):
    def arm(name, gain, low=-0.02):
        return Arm(name, (0.8, 0.82), (0.7, 0.9), gain, (low, gain + 0.03))
    text = table([arm('none', 0.0), arm('true', gain, low), arm('shuffled', 0.0),
                  arm('random', random)])
    assert says in text
    assert '| true | 81.0 | 70.0 to 90.0 | 80.0, 82.0 | +4.0 |' in text


def test_label_maps_from_an_onnx_model(rendered, tmp_path, capsys):
    onnx = pytest.importorskip('onnx', reason='makes a small model with onnx')
    helper = onnx.helper
    # Class 1 where the picture is brighter than its normalised middle, 0 elsewhere.
    graph = helper.make_graph(
        [helper.make_node('ReduceMean', ['image'], ['grey'], axes=[1], keepdims=1),
         helper.make_node('Neg', ['grey'], ['dark']),
         helper.make_node('Concat', ['dark', 'grey'], ['scores'], axis=1)], 'brightness',
        [helper.make_tensor_value_info('image', 1, [1, 3, 'h', 'w'])],
        [helper.make_tensor_value_info('scores', 1, [1, 2, 'h', 'w'])])
    model = tmp_path / 'bright.onnx'
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)],
                                ir_version=8), model)
    arguments = ['segment', '--model', str(model), '--images', str(rendered / 'views'), '--out',
                 str(tmp_path / 'maps')]
    assert main(arguments) == 0
    count = len(list((rendered / 'views').iterdir()))
    assert f'{count} new label maps' in capsys.readouterr().out
    labels = read_label_map(next((tmp_path / 'maps').glob('*.png')))
    assert labels.shape == (512, 512)
    assert set(np.unique(labels)) <= {0, 1}
    assert main(arguments) == 0
    assert ' 0 new label maps' in capsys.readouterr().out
    (tmp_path / 'no.onnx').write_text('no model')
    assert main([*arguments[:2], str(tmp_path / 'no.onnx'), *arguments[3:]]) == 1
    assert 'no.onnx cannot be opened' in capsys.readouterr().err


def test_what_is_missing_is_named(structured, load, tmp_path, rendered, capsys):
    structured['structure']['sets'][0]['labels'] = str(tmp_path)
    with pytest.raises(ConfigError, match='no label map, the first is .*train segment'):
        open_labelled_sets(load(structured), held_out=False)
    del structured['structure']['sets']
    with pytest.raises(ConfigError, match=r'structure\.sets names no data set'):
        open_labelled_sets(load(structured), held_out=False)
    structured['structure']['weight'] = 0.0
    load(structured)
    assert main(['ablate', '--config', str(tmp_path / 'config.yaml')]) == 1
    assert 'structure.weight must be positive' in capsys.readouterr().err
    assert yaml.safe_load((tmp_path / 'config.yaml').read_text())
