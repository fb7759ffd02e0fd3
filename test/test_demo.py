# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The demo itself, on its smallest level and a short second lap."""

from importlib.util import find_spec
import json
import subprocess
import sys

import cv2
from local_ros import claim_domain
import pytest
from sample_data import ROOT


NEEDS = ('rclpy', 'vizdoom', 'matplotlib', 'plotly')
pytestmark = [pytest.mark.ros,
              pytest.mark.skipif(not all(map(find_spec, NEEDS)),
                                 reason=f'the demo needs {", ".join(NEEDS)}')]


def test_the_demo_localizes_and_reports(tmp_path):
    out = tmp_path / 'out'
    done = subprocess.run(
        [sys.executable, '-m', 'demo.run', '--level', 'map01', '--frames', '80', '--in-step',
         '--domain', str(claim_domain()), '--out', str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=840)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((out / 'report.json').read_text())
    assert set(report) == {'map_places', 'frames', 'queries', 'matches', 'median_error_m',
                           'median_heading_error_deg',
                           'recall_1m', 'false_match_rate', 'latency_ms', 'model', 'bits'}
    assert report['frames'] == 80
    assert report['queries'] == 80
    assert 0 < report['matches'] <= report['queries']
    assert report['recall_1m'] > 0.8
    assert report['false_match_rate'] < 0.1
    assert report['median_error_m'] < 1.0
    assert report['median_heading_error_deg'] < 8.0
    assert 0 < report['latency_ms']['p50'] <= report['latency_ms']['p95']
    assert (out / 'mapping_bag' / 'metadata.yaml').exists()
    assert b'map.vpr' in (out / 'map_report' / 'index.html').read_bytes()
    for name in ('trajectory.png', 'matches.png'):
        picture = cv2.imread(str(out / name))
        assert picture is not None
        assert picture.std() > 5
    for line in ('map_places', 'recall_1m', 'latency_ms', 'tetra_vpr_ros.nodes.watch --map',
                 'tetra_vpr_ros.nodes.watch --bag', 'map_report/index.html'):
        assert line in done.stdout


@pytest.mark.parametrize('arguments, reason', [
    ([], 'holds something else than a demo'), (['--level', 'map1'], "no level 'map1'")])
def test_the_demo_removes_nothing_but_an_earlier_demo(tmp_path, arguments, reason):
    kept = [tmp_path / 'mapping_bag' / 'metadata.yaml', tmp_path / 'map.vpr']
    if not arguments:
        kept.append(tmp_path / 'thesis.tex')
    (tmp_path / 'mapping_bag').mkdir()
    for file in kept:
        file.write_text('years of work')
    done = subprocess.run([sys.executable, '-m', 'demo.run', '--out', str(tmp_path), *arguments],
                          cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert reason in done.stderr
    assert all(file.exists() for file in kept)


def test_the_demo_ends_with_its_localizer():
    ended = ('import subprocess, sys; from demo.listener import Listener\n'
             'gone = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])\n'
             'with Listener(gone) as listener:\n'
             '    listener.change_state(1, "configure")')
    done = subprocess.run([sys.executable, '-c', ended], cwd=ROOT, capture_output=True, text=True,
                          timeout=840)
    assert 'the localizer ended with status 3: see its message above' in done.stderr
    assert done.returncode == 1
