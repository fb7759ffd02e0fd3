# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment loses nothing that was committed."""

import random
import subprocess
import sys
import time

from sample_data import ROOT
from test_build import contents
from tetra_vpr_ros.mapping import PlaceMap


def complete(path):
    if not path.exists():
        return False
    with PlaceMap.open_file(path) as opened:
        return any(session.complete for session in opened.sessions())


def test_killed_builds_resume_to_the_same_map(bag, map_file, tmp_path):
    source = random.Random(3)
    path = tmp_path / 'm.vpr'
    command = [sys.executable, '-m', 'tetra_vpr_ros.nodes.build_map', '--bag', str(bag),
               '--map', str(path), '--resume', '--threads', '1']
    began = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    whole = time.monotonic() - began
    assert contents(path) == contents(map_file)
    path.unlink()
    cut_short, partial = 0, set()
    for _ in range(60):
        if cut_short >= 10 and len(partial) >= 3:
            break
        if complete(path):
            assert contents(path) == contents(map_file)
            for file in tmp_path.glob('m.vpr*'):
                file.unlink()
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        time.sleep(source.uniform(0.3, 0.9) * whole)
        cut_short += process.poll() is None
        process.kill()
        process.wait()
        if path.exists():
            with PlaceMap.open_file(path) as opened:
                table = opened.places()
                partial.add(len(table))
                assert len(table) == len(opened)
    assert cut_short >= 10, 'the kills must hit a running build'
    assert len(partial) >= 3, 'and at different moments'
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert contents(path) == contents(map_file)


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
