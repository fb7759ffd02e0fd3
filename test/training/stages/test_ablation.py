# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From label maps to the table that says whether structure helps, in small."""

import csv

import pytest
from tetra_vpr_ros.training.stages.ablation import Arm, ARMS, table
from tetra_vpr_ros.training.structure import structural_knowledge as structure
from tetra_vpr_ros.training.structure.sample_weights import GROUPS, SampleWeights
from tetra_vpr_ros.training.train import main
import yaml


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
    assert all(f'| {arm} |' in told for arm in ('start', *ARMS))
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
    assert capsys.readouterr().out.endswith(told[told.index('Recall@1 of'):])


@pytest.mark.parametrize('gain, low, random, says', [
    (0.04, 0.01, 0.0, 'wins outside the noise'), (0.04, -0.01, 0.0, 'does not win'),
    (0.04, 0.01, 0.05, 'A control gains as much')])
def test_the_verdict(gain, low, random, says):
    def arm(name, gain, low=-0.02):
        return Arm(name, 'binary', (0.8, 0.82), (0.7, 0.9), gain, (low, gain + 0.03))
    text = table([arm('start', -0.1), arm('none', 0.0), arm('true', gain, low),
                  arm('shuffled', 0.0), arm('random', random)])
    assert says in text
    assert '| true | 81.0 | 70.0 to 90.0 | 80.0, 82.0 | +4.0 |' in text


def test_without_a_weight_there_is_nothing_to_compare(structured, load, tmp_path, capsys):
    structured['structure']['weight'] = 0.0
    load(structured)
    assert main(['ablate', '--config', str(tmp_path / 'config.yaml')]) == 1
    assert 'structure.weight must be positive' in capsys.readouterr().err
    assert yaml.safe_load((tmp_path / 'config.yaml').read_text())
