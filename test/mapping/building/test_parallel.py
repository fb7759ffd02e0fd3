# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Several processes, or a Ray cluster, build the map that one process builds."""

import hashlib
import os
import signal
import subprocess
import sys
import time

from bag_factory import BagFactory
import pytest
from sample_data import ROOT
from street import write_street
from test_build import contents
from tetra_vpr_ros.mapping import build_map, BuildOptions, MapError, PlaceMap
from tetra_vpr_ros.simulation.bag import write_bag

GATED = str(ROOT / 'test' / 'mapping' / 'building' / 'gated_build.py')


@pytest.fixture(scope='module')
def bags(street, tmp_path_factory):
    """Return three bags: parts of the street, of different lengths."""
    folder = tmp_path_factory.mktemp('fleet')
    paths = []
    for i, (first, last) in enumerate(((0, 90), (90, 110), (110, 190))):
        write_street(folder / f'robot{i}', street[first:last])
        paths.append(folder / f'robot{i}')
    return tuple(paths)


@pytest.fixture(scope='module')
def serial(bags, tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp('serial') / 'm.vpr'
    report = build_map(BuildOptions(path, bags, model=tiny), progress=False)
    return path, report


def test_two_workers_build_the_same_map(bags, serial, tiny, tmp_path):
    path = tmp_path / 'm.vpr'
    report = build_map(BuildOptions(path, bags, model=tiny, workers=2), progress=False)
    assert contents(path) == contents(serial[0])
    assert report == serial[1]
    assert [p.name for p in tmp_path.iterdir()] == ['m.vpr']


def test_the_shipped_model_makes_the_same_map_with_fewer_threads_each(drive, tmp_path):
    paths = tmp_path / 'one', tmp_path / 'two'
    for path, frames in zip(paths, (drive[:30], drive[30:60])):
        write_bag(path, frames)
    for workers in (1, 2):
        build_map(BuildOptions(tmp_path / f'{workers}.vpr', paths, workers=workers),
                  progress=False)
    assert contents(tmp_path / '1.vpr') == contents(tmp_path / '2.vpr')


def wait_for(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children(process):
    listed = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(process.pid)],
                            capture_output=True, text=True)
    return listed.stdout.split()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_build_continues_to_the_same_map(bags, serial, tiny, tmp_path, number):
    path, gate = tmp_path / 'm.vpr', tmp_path / 'gate'
    gate.mkdir()
    arguments = ['--bag', *map(str, bags), '--map', str(path), '--model', str(tiny),
                 '--workers', '2', '--threads', '2']
    process = subprocess.Popen([sys.executable, GATED, *arguments], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env={**os.environ, 'GATE': str(gate)})
    # Both workers have stored some of their places, and wait at the gate with the rest.
    wait_for(lambda: len(list(gate.glob('stored.*'))) == 2 or process.poll() is not None)
    workers = children(process)
    assert process.poll() is None
    process.send_signal(number)
    if number == signal.SIGKILL:
        process.wait()
    (gate / 'open').touch()
    output = process.communicate(timeout=120)[0]
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert '--resume' in output
    assert workers
    wait_for(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in workers))  # none is left
    with PlaceMap.open_file(path) as opened:
        assert len(opened) == 0
    assert list(tmp_path.glob('m.vpr.parts/*.vpr'))
    subprocess.run([sys.executable, '-m', 'tetra_vpr_ros.nodes.build_map', *arguments,
                    '--resume'], cwd=ROOT, check=True, capture_output=True)
    assert contents(path) == contents(serial[0])
    assert sorted(p.name for p in tmp_path.iterdir()) == ['gate', 'm.vpr']


def test_what_one_process_has_begun_several_finish(bags, serial, tiny, tmp_path):
    path = tmp_path / 'm.vpr'
    build_map(BuildOptions(path, bags[:1], model=tiny), progress=False)
    build_map(BuildOptions(path, bags, model=tiny, resume=True, workers=2), progress=False)
    assert contents(path) == contents(serial[0])


def test_a_damaged_bag_among_others_is_told(bags, street, tiny, tmp_path):
    with BagFactory(tmp_path / 'bad') as bag:
        for stamp, x, image in street[:10]:
            bag.odometry(stamp, x)
            bag.jpeg(stamp, image)
        bag.writer.write(bag.connections['/camera/compressed'], stamp + 1, b'\0\1cut')
    report = build_map(BuildOptions(tmp_path / 'm.vpr', (bags[1], tmp_path / 'bad'), model=tiny,
                                    workers=2), progress=False)
    assert 'malformed messages' in report.damaged[0]
    with PlaceMap.open_file(tmp_path / 'm.vpr') as opened:
        assert all(session.complete for session in opened.sessions())


def test_ray_builds_the_same_map(bags, serial, tiny, tmp_path):
    pytest.importorskip('ray', reason='Ray is not installed')
    path = tmp_path / 'm.vpr'
    report = build_map(BuildOptions(path, bags, model=tiny, ray='local'), progress=False)
    assert contents(path) == contents(serial[0])
    assert report == serial[1]
    assert [p.name for p in tmp_path.iterdir()] == ['m.vpr']


def test_without_ray_it_says_what_to_install(bags, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(MapError, match=r'pip install .*\[ray\]'):
        build_map(BuildOptions(tmp_path / 'm.vpr', bags, ray='local'), progress=False)


def test_parts_of_a_build_that_was_given_up_are_not_taken(bags, serial, tiny, tmp_path):
    """Their poses may be those of another topic."""
    path = tmp_path / 'm.vpr'
    with PlaceMap.open_file(serial[0]) as opened:
        stale = opened.sessions()[0].source
    folder = tmp_path / 'm.vpr.parts'
    folder.mkdir()
    part = folder / f'{hashlib.sha256(stale.encode()).hexdigest()[:16]}.vpr'
    build_map(BuildOptions(part, bags[1:2], model=tiny), progress=False)  # of another bag
    build_map(BuildOptions(path, bags, model=tiny, workers=2), progress=False)
    assert contents(path) == contents(serial[0])
    assert not folder.exists()
