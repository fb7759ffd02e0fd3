# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line of the live view."""

import signal
import socket
import subprocess
import sys

import pytest
from sample_data import ROOT
from tetra_vpr_ros.nodes.watch import main
from watching import ask, awaited, ENOUGH


@pytest.mark.parametrize('arguments, says', [
    (['--port', '65536'], '65536'), (['--port', '-1'], '--port'), (['--port', 'http'], 'http'),
    (['--rate', '-1'], '--rate'), (['--rate', 'nan'], 'nan'), (['--bag', 'drive'], '--map'),
    (['--filter', 'none'], '--filter'), (['--rate', '2'], '--rate is for a recorded drive'),
    (['--image-topic', '/cam'], '--image-topic is for a recorded drive'),
    (['--ros-args', '-r', '__ns:=/a', '--', '--model', 'm'], '--model is for a recorded drive')])
def test_bad_options_are_named(arguments, says, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_what_is_not_there_is_named(wall_map, wall_bag, tmp_path, capsys):
    nowhere = str(tmp_path / 'nowhere')
    for arguments, says in [
            (['--map', nowhere], 'nowhere'),
            (['--bag', str(wall_bag), '--map', nowhere], 'nowhere'),
            (['--bag', nowhere, '--map', str(wall_map)], 'nowhere'),
            (['--bag', str(wall_bag), '--map', str(wall_map), '--model', nowhere], 'nowhere'),
            (['--bag', str(wall_bag), '--map', str(wall_map), '--image-topic', '/odom'],
             "no image topic '/odom'")]:
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert error.startswith('watch: ')
        assert says in error


def test_a_port_that_is_taken_is_told_before_anything_begins(wall_map, wall_bag, capsys):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = str(taken.getsockname()[1])
        for more in (['--bag', str(wall_bag), '--map', str(wall_map)], []):
            assert main(['--port', port, *more]) == 1
            assert f'port {port}: Address already in use' in capsys.readouterr().err


@pytest.mark.parametrize('missing, says', [('aiohttp', 'python3-aiohttp'),
                                           ('plotly.offline', 'python3-plotly')])
def test_a_missing_library_is_told_with_what_to_install(
        wall_map, wall_bag, monkeypatch, capsys, missing, says):
    for name in list(sys.modules):
        if name.startswith('tetra_vpr_ros.viewing.live.'):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(['--bag', str(wall_bag), '--map', str(wall_map)]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert 'tetra_vpr_ros[viewing]' in error


def test_without_ros_a_recorded_drive_is_offered(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    assert main([]) == 1
    assert '--bag and --map' in capsys.readouterr().err


def test_a_bag_is_watched_without_ros(wall_map, wall_bag, wall):
    without = ('import sys; sys.modules["rclpy"] = None; '
               'from tetra_vpr_ros.nodes.watch import main; raise SystemExit(main())')
    process = subprocess.Popen(
        [sys.executable, '-c', without, '--bag', str(wall_bag), '--map', str(wall_map), '--port',
         '0', '--rate', '0', '--ros-args', '-r', '__ns:=/robot1'],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with process:
        try:
            url = process.stdout.readline().split(' at ')[1].split()[0]
            told = awaited(url, lambda told: 'ended' in told.get('source', ''))
            assert told['frames'] == len(wall)
            assert told['state'] == 'localized'
            assert ask(url, '/picture.jpg')[0] == 200
            assert f'{len(wall)} frames localized' in process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(ENOUGH) == 0
        finally:
            process.kill()
