# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
import subprocess
import sys

import pytest
from sample_data import ROOT
from tetra_vpr_ros import command_line
from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.nodes import build_map


def test_options(tmp_path):
    options = build_map.options_from_arguments([
        '--bag', 'a', 'b.mcap', '--map', 'm.vpr', '--tf-frames', 'map', 'base_link',
        '--keyframe-distance', '1', '--no-thumbnails', '--append', '--horizontal-fov', '90'])
    assert options.bags == (Path('a'), Path('b.mcap'))
    assert options.tf_frames == ('map', 'base_link')
    assert (options.keyframe_distance, options.keyframe_angle) == (1.0, 15.0)
    assert options.horizontal_fov == 90.0
    assert (options.thumbnails, options.append, options.resume) == (False, True, False)


@pytest.mark.parametrize('arguments, says', [
    (['--map', 'm.vpr'], '--bag'), (['--bag', 'a'], '--map'),
    (['--bag', 'a', '--map', 'm', '--keyframe-distance', '-1'], 'between 0 and 1000000'),
    (['--bag', 'a', '--map', 'm', '--keyframe-angle', 'inf'], '--keyframe-angle: it must lie'),
    (['--bag', 'a', '--map', 'm', '--threads', '-1'],
     "--threads: it must be a whole number of at least 0, not '-1'"),
    (['--bag', 'a', '--map', 'm', '--frame-id', '/map'], '--frame-id: a frame has a name'),
    (['--bag', 'a', '--map', 'm', '--max-pose-gap', 'nan'], '--max-pose-gap: it must be'),
    (['--bag', 'a', '--map', 'm', '--max-pose-gap', 'inf'], "not 'inf'"),
    (['--bag', 'a', '--map', 'm', '--horizontal-fov', '180'], 'between 1 and 180 degrees'),
    (['--bag', 'a', '--map', 'm', '--tf-frames', 'map'], '--tf-frames')])
def test_wrong_options_are_named(capsys, arguments, says):
    with pytest.raises(SystemExit):
        build_map.options_from_arguments(arguments)
    assert says in capsys.readouterr().err


def test_parameters_say_the_same_as_options():
    arguments = build_map.arguments_from_parameters({
        'bag': ['a', 'b'], 'map': 'm.vpr', 'keyframe_distance': 2.0, 'thumbnails': False,
        'append': True, 'resume': False})
    assert arguments == ['--bag', 'a', 'b', '--map', 'm.vpr', '--keyframe-distance', '2.0',
                         '--no-thumbnails', '--append']


def test_errors_are_one_line_and_leave_no_map(tmp_path, capsys, bag):
    path = tmp_path / 'm.vpr'
    for arguments, says in [
            (['--bag', str(tmp_path / 'none')], 'no such bag'),
            (['--bag', str(bag), '--image-topic', '/nope'], "no image topic '/nope'"),
            (['--bag', str(bag), '--model', str(tmp_path / 'none.onnx')], 'no model file')]:
        assert build_map.main([*arguments, '--map', str(path)]) == 1
        errors = capsys.readouterr().err.strip()
        assert says in errors
        assert errors.startswith('build_map: ')
        assert '\n' not in errors
    assert not path.exists()


def test_summary_on_the_screen(tmp_path, capsys, bag):
    assert build_map.main(['--bag', str(bag), '--map', str(tmp_path / 'm.vpr'),
                           '--keyframe-distance', '3', '--keyframe-angle', '90']) == 0
    captured = capsys.readouterr()
    assert '200 frames' in captured.out
    assert 'mapping drive' in captured.err  # the progress bar


def test_interrupted_before_anything(monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(build_map, 'build_map', interrupted)
    assert build_map.main(['--bag', 'a', '--map', 'm.vpr']) == 130
    assert 'interrupted' in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        command_line._interrupt(15, None)


@pytest.mark.ros
def test_as_a_node_with_ros_arguments(tmp_path, bag):
    pytest.importorskip('rclpy', reason='needs ROS 2')
    path = tmp_path / 'm.vpr'
    done = subprocess.run(
        [sys.executable, '-m', 'tetra_vpr_ros.nodes.build_map', '--keyframe-angle', '90',
         '--ros-args', '-r', '__node:=mapper', '-p', f'bag:=[{bag}]', '-p', f'map:={path}',
         '-p', 'keyframe_distance:=3.0', '-p', 'use_sim_time:=false'],
        cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with PlaceMap.open_file(path) as opened:
        assert opened.meta()['build']['keyframe_distance'] == 3.0
        assert opened.meta()['build']['keyframe_angle'] == 90.0
