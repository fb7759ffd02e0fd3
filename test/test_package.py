# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What gets installed: by pip, and by colcon."""

import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import venv
from xml.etree import ElementTree
import zipfile

import pytest
from sample_data import ROOT

SOURCES = ('tetra_vpr_ros', 'launch', 'config', 'models', 'resource', 'scripts', 'setup.py',
           'setup.cfg', 'pyproject.toml', 'package.xml', 'README.md', 'LICENSE')


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """Return a clean copy of the sources, so that no build folder lands in the checkout."""
    folder = tmp_path_factory.mktemp('source') / 'tetra_vpr_ros'
    folder.mkdir()
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name,
                            ignore=shutil.ignore_patterns('__pycache__'))
        elif path.exists():
            shutil.copy2(path, folder / name)
    return folder


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory):
    out = tmp_path_factory.mktemp('wheel')
    subprocess.run([sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps',
                    '--no-build-isolation', '-w', str(out), str(source)], check=True)
    return next(out.glob('*.whl'))


def test_the_wheel_holds_share_resource_index_and_launchers(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name.split('.data/data/')[-1]: name for name in archive.namelist()}
        assert archive.getinfo(names['lib/tetra_vpr_ros/localize']).external_attr >> 16 & 0o111
    for name in ('share/ament_index/resource_index/packages/tetra_vpr_ros',
                 'share/tetra_vpr_ros/package.xml',
                 'share/tetra_vpr_ros/launch/localize.launch.py',
                 'share/tetra_vpr_ros/launch/managed.launch.py',
                 'share/tetra_vpr_ros/config/localize.yaml',
                 'share/tetra_vpr_ros/config/vpr.rviz',
                 'share/tetra_vpr_ros/config/fastdds_large_images.xml',
                 'share/tetra_vpr_ros/models/tetra_vits8_2048_free.onnx',
                 'share/tetra_vpr_ros/models/README.md',
                 'share/tetra_vpr_ros/config/training/tetra_vits8_2048.yaml',
                 'lib/tetra_vpr_ros/train',
                 'lib/tetra_vpr_ros/build_map', 'lib/tetra_vpr_ros/watch',
                 'tetra_vpr_ros/viewing/live/live.css', 'tetra_vpr_ros/viewing/live/live.html',
                 'tetra_vpr_ros/viewing/live/live.js', 'tetra_vpr_ros/viewing/frame/page.css',
                 'tetra_vpr_ros/nodes/localize.py',
                 'tetra_vpr_ros/py.typed'):
        assert name in names


def test_an_installed_package_finds_its_model_and_both_launchers_run(wheel, tmp_path):
    """In an environment of its own, which borrows the dependencies of this one."""
    environment = {key: value for key, value in os.environ.items()
                   if key not in ('PYTHONPATH', '_ROS_WHEELS_BOOTSTRAP_COMPLETE')}
    home = tmp_path / 'env'
    venv.create(home, with_pip=True)
    python = home / 'bin' / 'python'
    subprocess.run([str(python), '-m', 'pip', 'install', '-q', '--no-deps', str(wheel)],
                   check=True, env=environment)
    site = next(home.glob('lib/python3*/site-packages'))
    # All but a workspace, in which this package is installed, too.
    borrowed = [folder for folder in sys.path
                if folder.endswith(('site-packages', 'dist-packages'))
                and not (Path(folder) / 'tetra_vpr_ros').exists()]
    # Before our own checkout, which such a folder may point to.
    (site / 'zz_borrowed.pth').write_text('\n'.join(borrowed) + '\n')

    def run(*command):
        done = subprocess.run([str(c) for c in command], cwd=tmp_path, env=environment,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    printed = run(python, '-c', 'import tetra_vpr_ros.vision as v; '
                  'print(v.default_model_path(), v.PlaceEncoder().bits)')
    assert printed.startswith(str(home / 'share' / 'tetra_vpr_ros' / 'models'))
    for launcher in (home / 'bin' / 'build_map', home / 'lib' / 'tetra_vpr_ros' / 'build_map'):
        assert '--keyframe-distance' in run(launcher, '--help')
    for launcher in (home / 'bin' / 'train', home / 'lib' / 'tetra_vpr_ros' / 'train'):
        assert 'finetune' in run(launcher, '--help')
    assert (home / 'bin' / 'localize').exists()
    assert (home / 'lib' / 'tetra_vpr_ros' / 'localize').exists()


@pytest.mark.parametrize('extra', [[], ['--symlink-install']])
def test_colcon_builds_the_package(source, tmp_path, extra):
    colcon = shutil.which('colcon', path=os.path.dirname(sys.executable))
    if colcon is None:
        pytest.skip('colcon is not installed')
    environment = {**os.environ, 'PATH': f'{os.path.dirname(sys.executable)}:{os.environ["PATH"]}'}
    workspace = tmp_path / 'ws'
    shutil.copytree(source, workspace / 'src' / 'tetra_vpr_ros')
    done = subprocess.run([colcon, 'build', *extra, '--event-handlers', 'console_direct+'],
                          cwd=workspace, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    prefix = workspace / 'install' / 'tetra_vpr_ros'
    for name in ('lib/tetra_vpr_ros/localize', 'lib/tetra_vpr_ros/build_map',
                 'lib/tetra_vpr_ros/train',
                 'share/tetra_vpr_ros/package.xml',
                 'share/tetra_vpr_ros/launch/localize.launch.py',
                 'share/tetra_vpr_ros/models/tetra_vits8_2048_free.onnx',
                 'share/ament_index/resource_index/packages/tetra_vpr_ros'):
        assert (prefix / name).exists(), name


def test_versions_and_dependencies_agree():
    tree = ElementTree.parse(ROOT / 'package.xml').getroot()
    setup = (ROOT / 'setup.py').read_text()
    version = re.search(r"version='([^']+)'", setup)[1]
    assert tree.findtext('version') == version
    assert version in (ROOT / 'CHANGELOG.rst').read_text()
    declared = {element.text for element in tree.findall('exec_depend')}
    for module, key in (('rclpy', 'rclpy'), ('cv2', 'python3-opencv'), ('faiss', 'python3-faiss'),
                        ('onnxruntime', 'python3-onnxruntime-pip'), ('numpy', 'python3-numpy'),
                        ('scipy', 'python3-scipy'), ('rosbags', 'python3-rosbags-pip'),
                        ('pyproj', 'python3-pyproj'), ('tqdm', 'python3-tqdm'),
                        ('aiohttp', 'python3-aiohttp'),
                        ('sensor_msgs', 'sensor_msgs'),
                        ('geometry_msgs', 'geometry_msgs')):
        assert key in declared, module
