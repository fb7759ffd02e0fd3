# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import csv
import subprocess
import sys

import pytest
from tetra_vpr_ros.evaluation.recognition.ground_truth import read_truth
from tetra_vpr_ros.vision.image_files import image_files

LEVEL = 'e1m1'


def sample(out, *arguments):
    return subprocess.run(
        [sys.executable, '-m', 'tetra_vpr_ros.simulation.sample_laps', '--out', str(out),
         *arguments], capture_output=True, text=True, timeout=300)


@pytest.mark.processes
def test_two_laps_take_turns_and_the_pairs_say_which_pictures_show_one_place(doom_world, tmp_path):
    done = sample(tmp_path, '--step', '8', LEVEL)
    assert done.returncode == 0, done.stderr
    files = image_files(tmp_path)
    first, second = files[::2], files[1::2]
    assert len(first) == len(second) > 10
    assert all(a.stem[:-2] == b.stem[:-2] and (a.stem[-1], b.stem[-1]) == ('1', '2')
               for a, b in zip(first, second))
    truth = read_truth(f'pairs:{tmp_path}/pairs.csv', first, second)
    # The second lap passes within a metre of the first, turned by ten degrees at most.
    assert truth.diagonal().mean() > 0.9
    # The truth knows of crossings, and not of everything.
    assert truth.mean() < 0.2
    with (tmp_path / 'pairs.csv').open() as file:
        assert len(list(csv.DictReader(file))) == truth.sum()


@pytest.mark.processes
def test_a_level_that_is_none_is_refused(doom_world, tmp_path):
    done = sample(tmp_path / 'laps', LEVEL, 'e9m9')
    assert done.returncode == 2
    assert 'e9m9' in done.stderr
    assert not (tmp_path / 'laps').exists()


@pytest.mark.processes
def test_pictures_of_another_run_are_not_left_among_those_of_this(doom_world, tmp_path):
    (tmp_path / 'map10-00000-1.jpg').write_bytes(b'')  # whose pairs would not be listed
    done = sample(tmp_path, LEVEL)
    assert done.returncode == 2
    assert f'{tmp_path} holds pictures already' in done.stderr.replace('\n', ' ')
    assert [file.name for file in tmp_path.iterdir()] == ['map10-00000-1.jpg']
