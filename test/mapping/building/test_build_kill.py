# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment loses nothing that was committed."""

from contextlib import redirect_stderr, redirect_stdout
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time

import pytest
from sample_data import ROOT
from test_build import contents
from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.mapping.tools.verify import problems
from tetra_vpr_ros.nodes import build_map, vpr_map
from tetra_vpr_ros.simulation.bag import write_bag

PROCESSES = multiprocessing.get_context('forkserver')
# Imported once: a process then starts in milliseconds, and the kills hit its work.
PROCESSES.set_forkserver_preload(['tetra_vpr_ros.nodes.build_map', 'tetra_vpr_ros.nodes.vpr_map'])
KILLS = 20


def run(main, arguments):
    with open(os.devnull, 'w') as nowhere, redirect_stderr(nowhere), redirect_stdout(nowhere):
        raise SystemExit(main(arguments))


def kills(main, arguments, prepare, check):
    """Kill a command at random moments; ``prepare`` and ``check`` run before and after each."""
    source = random.Random(3)
    first = PROCESSES.Process(target=str)  # starts the server, which takes a second
    first.start()
    first.join()
    prepare()
    began = time.monotonic()
    process = PROCESSES.Process(target=run, args=(main, arguments))
    process.start()
    process.join()
    assert process.exitcode == 0
    whole = time.monotonic() - began
    hit, seen = 0, set()
    for _ in range(5 * KILLS):
        if hit == KILLS:
            break
        prepare()
        process = PROCESSES.Process(target=run, args=(main, arguments))
        process.start()
        process.join(source.uniform(0.2, 0.9) * whole)
        hit += process.is_alive()
        process.kill()
        process.join()
        seen.add(check())
    assert hit == KILLS, 'the kills must hit a running command'
    return seen


def sound(path):
    """Check a map; the number of its places tells how far it came."""
    if not path.exists():
        return 0
    assert [p for p in problems(path) if 'not complete' not in p and 'not calib' not in p] == []
    with PlaceMap.open_file(path) as opened:
        return len(opened)


@pytest.fixture(scope='module')
def halves(drive, tmp_path_factory):
    """Return two bags: the halves of the drive."""
    folder = tmp_path_factory.mktemp('halves')
    paths = []
    for name, frames in (('first', drive[:60]), ('second', drive[60:120])):
        write_bag(folder / name, frames)
        paths.append(folder / name)
    return paths


def build(*options):
    return list(map(str, ['--threads', '1', *options]))


def test_killed_builds_resume_to_the_same_map(halves, tmp_path):
    wanted, path = tmp_path / 'wanted.vpr', tmp_path / 'm.vpr'
    arguments = build('--bag', halves[0], '--map')
    assert build_map.main([*arguments, str(wanted)]) == 0

    def begin():
        # All places may be there, and the kill came before the map was calibrated.
        if path.exists() and problems(path) == []:
            assert contents(path) == contents(wanted)
            for file in tmp_path.glob('m.vpr*'):
                file.unlink()

    seen = kills(build_map.main, [*arguments, str(path), '--resume'], begin,
                 lambda: sound(path))
    assert len(seen) >= 3, 'at different moments'
    assert build_map.main([*arguments, str(path), '--resume']) == 0
    assert contents(path) == contents(wanted)


def test_killed_appending_keeps_the_map_and_resumes(halves, tmp_path):
    first, path, wanted = (tmp_path / name for name in ('first.vpr', 'm.vpr', 'wanted.vpr'))
    assert build_map.main(build('--bag', halves[0], '--map', first)) == 0
    shutil.copy(first, wanted)
    more = build('--bag', halves[1], '--append', '--map')
    assert build_map.main([*more, str(wanted)]) == 0

    def begin():
        for file in tmp_path.glob('m.vpr*'):
            file.unlink()
        shutil.copy(first, path)

    seen = kills(build_map.main, [*more, str(path)], begin, lambda: sound(path))
    assert sound(first) <= min(seen)
    assert len(seen) >= 3, 'at different moments'
    both = build('--bag', *halves, '--resume', '--map', path)
    assert build_map.main(both) == 0
    assert contents(path) == contents(wanted)


def test_killed_merging_leaves_nothing_or_the_whole(map_file, tmp_path):
    path = tmp_path / 'both.vpr'
    seen = kills(vpr_map.main, ['merge', str(map_file), str(map_file), '--out', str(path)],
                 lambda: path.unlink(missing_ok=True), lambda: sound(path))
    assert seen <= {0, 2 * sound(map_file)}
    assert 0 in seen
    assert sound(map_file)


def test_killed_pruning_leaves_the_map_as_it_was_or_pruned(map_file, tmp_path):
    path = tmp_path / 'own.vpr'
    seen = kills(vpr_map.main, ['prune', str(path), '--spacing', '1.0'],
                 lambda: shutil.copy(map_file, path), lambda: sound(path))
    assert sound(map_file) in seen
    assert len(seen) <= 2


def test_terminate_is_like_ctrl_c(bag, map_file, tmp_path):
    path = tmp_path / 'm.vpr'
    command = [sys.executable, '-m', 'tetra_vpr_ros.nodes.build_map', '--bag', str(bag),
               '--map', str(path), '--threads', '1']
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.DEVNULL)
    while process.poll() is None:
        if path.exists() and path.with_name('m.vpr-wal').exists():
            break
        time.sleep(0.002)
    time.sleep(0.2)
    process.terminate()
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert '--resume' in output
    assert [p.name for p in tmp_path.iterdir()] == ['m.vpr']  # a plain single file
    subprocess.run([*command, '--resume'], cwd=ROOT, check=True, capture_output=True)
    assert contents(path) == contents(map_file)
