# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Several processes, or a Ray cluster, build the map that one process builds."""

import os
import signal
import subprocess
import sys
import time

from bag_factory import BagFactory
import pytest
from sample_data import ROOT
from test_build import contents
from tetra_vpr_ros.mapping import build_map, BuildOptions, MapError, PlaceMap
from tetra_vpr_ros.simulation.bag import write_bag


@pytest.fixture(scope='module')
def bags(drive, tmp_path_factory):
    """Return three bags: parts of the drive, of different lengths."""
    folder = tmp_path_factory.mktemp('fleet')
    paths = []
    for i, (first, last) in enumerate(((0, 70), (70, 90), (90, 150))):
        write_bag(folder / f'robot{i}', drive[first:last])
        paths.append(folder / f'robot{i}')
    return tuple(paths)


@pytest.fixture(scope='module')
def serial(bags, tmp_path_factory):
    path = tmp_path_factory.mktemp('serial') / 'm.vpr'
    report = build_map(BuildOptions(path, bags), progress=False)
    return path, report


def command(bags, path, *more):
    return [sys.executable, '-m', 'tetra_vpr_ros.nodes.build_map', '--bag', *map(str, bags),
            '--map', str(path), '--workers', '2', '--threads', '2', *more]


def test_two_workers_build_the_same_map(bags, serial, tmp_path):
    path = tmp_path / 'm.vpr'
    report = build_map(BuildOptions(path, bags, workers=2), progress=False)
    assert contents(path) == contents(serial[0])
    assert report == serial[1]
    assert [p.name for p in tmp_path.iterdir()] == ['m.vpr']


def children(process):
    listed = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(process.pid)],
                            capture_output=True, text=True)
    return listed.stdout.split()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_build_continues_to_the_same_map(bags, serial, tmp_path, number):
    path = tmp_path / 'm.vpr'
    process = subprocess.Popen(command(bags, path), cwd=ROOT, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    while process.poll() is None and not list(tmp_path.glob('m.vpr.parts/*.vpr-wal')):
        time.sleep(0.01)
    time.sleep(0.5)
    workers = children(process)
    process.send_signal(number)
    output = process.communicate(timeout=60)[0]
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert '--resume' in output
    assert workers
    deadline = time.monotonic() + 20
    while any(os.path.exists(f'/proc/{pid}') for pid in workers):  # none is left behind
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with PlaceMap.open_file(path) as opened:
        assert len(opened) == 0
    subprocess.run(command(bags, path, '--resume'), cwd=ROOT, check=True, capture_output=True)
    assert contents(path) == contents(serial[0])
    assert [p.name for p in tmp_path.iterdir()] == ['m.vpr']


def test_what_one_process_has_begun_several_finish(bags, serial, tmp_path):
    path = tmp_path / 'm.vpr'
    build_map(BuildOptions(path, bags[:1]), progress=False)
    build_map(BuildOptions(path, bags, resume=True, workers=2), progress=False)
    assert contents(path) == contents(serial[0])


def test_a_damaged_bag_among_others_is_told(bags, drive, tmp_path):
    with BagFactory(tmp_path / 'bad') as bag:
        for i in range(10):
            bag.odometry(drive[i][0], float(i))
            bag.jpeg(drive[i][0], drive[i][2])
        bag.writer.write(bag.connections['/camera/compressed'], drive[9][0] + 1, b'\0\1cut')
    report = build_map(BuildOptions(tmp_path / 'm.vpr', (bags[1], tmp_path / 'bad'), workers=2),
                       progress=False)
    assert 'malformed messages' in report.damaged[0]
    with PlaceMap.open_file(tmp_path / 'm.vpr') as opened:
        assert all(session.complete for session in opened.sessions())


def test_ray_builds_the_same_map(bags, serial, tmp_path):
    pytest.importorskip('ray', reason='Ray is not installed')
    path = tmp_path / 'm.vpr'
    report = build_map(BuildOptions(path, bags, ray='local'), progress=False)
    assert contents(path) == contents(serial[0])
    assert report == serial[1]
    assert [p.name for p in tmp_path.iterdir()] == ['m.vpr']


def test_without_ray_it_says_what_to_install(bags, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(MapError, match=r'pip install .*\[ray\]'):
        build_map(BuildOptions(tmp_path / 'm.vpr', bags, ray='local'), progress=False)
