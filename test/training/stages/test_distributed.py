# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two processes compute what one does that accumulates two parts."""

import os
import socket
import subprocess
import sys

from sample_data import ROOT
from tetra_vpr_ros.training.config import load_config
from tetra_vpr_ros.training.stages.distill import distill
import torch
from training_data import write_config


def test_two_processes_equal_one_that_accumulates(recipe, tmp_path):
    both = write_config(tmp_path / 'both.yaml', recipe, run=str(tmp_path / 'both'))
    one = load_config(write_config(tmp_path / 'one.yaml', recipe, run=str(tmp_path / 'one'),
                                   distill__optimizer__accumulate=2))
    distill(one, one.distill)
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    command = ['-m', 'tetra_vpr_ros.training.train', 'distill', '--config']
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    subprocess.run([sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2',
                    '--master-addr', '127.0.0.1', '--master-port', str(port), *command,
                    str(both)], check=True, env=environment, cwd=tmp_path)
    states = [torch.load(tmp_path / name / 'distill.pt', weights_only=True)
              for name in ('one', 'both')]
    assert states[0]['step'] == states[1]['step'] == 6
    for name, a in states[0]['network'].items():
        b = states[1]['network'][name]
        assert torch.allclose(a, b, atol=2e-4), (name, (a - b).abs().max())
    # And it is no accident of weights that never moved.
    other = load_config(write_config(tmp_path / 'other.yaml', recipe, seed=1,
                                     run=str(tmp_path / 'other')))
    moved = distill(other, other.distill).state_dict()
    key = 'aggregation.project.weight'
    assert (moved[key] - states[0]['network'][key]).abs().max() > 1e-3
