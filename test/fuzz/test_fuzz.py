# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The inputs of some seeds, and all that was ever found: `make fuzz` looks for more."""

from pathlib import Path

from fuzz.worker import Finding, TARGETS, Worker
import pytest

pytestmark = pytest.mark.processes
FINDINGS = sorted((Path(__file__).parent / 'findings').glob('*/*.bin'))
RUNS = {'maps': 40, 'models': 200, 'messages': 300, 'bags': 40, 'folders': 60}


@pytest.fixture(autouse=True)
def needs_onnx(request):
    if getattr(request.node, 'callspec', None) and request.node.callspec.params.get(
            'target', 'messages') != 'messages':
        pytest.importorskip('onnx', reason='makes small models with onnx, and damages them')


@pytest.mark.parametrize('target', TARGETS)
def test_damaged_input_is_told_or_does_no_harm(target, seed):
    outcomes = []
    with Worker(target) as worker:
        for now in range(seed, seed + RUNS[target]):
            outcome = worker.run(now)
            assert not isinstance(outcome, Finding), (
                f'cd test && python -m fuzz --targets {target} --seed {now} --runs 1\n'
                f'{outcome.text}')
            outcomes.append(outcome)
    assert outcomes.count('told') > RUNS[target] / 10
    assert outcomes.count('fine') > RUNS[target] / 20


@pytest.mark.parametrize('target', TARGETS)
def test_what_was_found_stays_mended(target):
    paths = [path for path in FINDINGS if path.parent.name == target]
    with Worker(target) as worker:
        for path in paths:
            outcome = worker.run(path.read_bytes())
            assert not isinstance(outcome, Finding), f'{path}\n{outcome.text}'


def test_death_and_other_errors_are_findings():
    with Worker('messages') as worker:
        said = worker.run(b'{"format": "jpeg"}\n')
        assert said == 'told'
        said = worker.run(b'no JSON')
        assert isinstance(said, Finding) and 'JSONDecodeError' in said.text
        assert said.data == b'no JSON'
        assert worker.run(b'{"format": "jpeg"}\n') == 'told'  # by a new process
        worker._process.kill()
        said = worker.run(b'{"format": "jpeg"}\n')
        assert isinstance(said, Finding) and 'has died' in said.text
