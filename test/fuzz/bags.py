# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Damaged bags of every kind, and bags that say what cannot be; each is built to a map."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
import hashlib
from pathlib import Path
import tempfile
from typing import Any

from bag_factory import BagFactory
from fuzz.built_map import check_built
from fuzz.mutation import damaged, damaged_text, NUMBERS, pack, pick, unpack, WORDS
import numpy as np
from tetra_vpr_ros.mapping import BagError, BagSource, build_map, BuildOptions, MapError
from tiny_model import tiny_model

_START = 1_700_000_000_000_000_000
_SECOND = 1_000_000_000
_POSES: tuple[dict[str, Any], ...] = (
    {'pose_topic': '/odom'}, {'pose_topic': '/odom'}, {'pose_topic': '/fix'},
    {'pose_topic': '/amcl_pose'}, {'tf_frames': ('map', 'base_link')})
_MORE: tuple[dict[str, Any], ...] = (
    {'tf_frames': ('map', 'base_link'), 'image_time': 'received'},
    {'pose_topic': '/vicon/robot/robot'}, {'pose_topic': '/trajectory'})


@lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix='fuzz_bags_')


@lru_cache(maxsize=1)
def model() -> Path:
    """Return the file of a tiny model."""
    return Path(tiny_model(Path(_folder().name) / 'tiny.onnx'))


@lru_cache(maxsize=1)
def whole() -> dict[str, bytes]:
    """Return the files of sound bags: MCAP, a rosbag2 folder with SQLite, ROS 1."""
    files, folder = {}, Path(_folder().name)
    for storage, name in (('mcap', 'bag'), ('sqlite3', 'sqlite'), ('ros1', 'bag.bag')):
        with BagFactory(folder / name, storage) as bag:
            _fill(bag, np.random.default_rng(0), 0.0)
    for path in sorted(folder.rglob('*')):
        if path.is_file() and path.suffix in ('.mcap', '.db3', '.bag', '.yaml'):
            files[path.relative_to(folder).name if path.suffix != '.yaml'
                  else str(path.relative_to(folder))] = path.read_bytes()
    return files


def _fill(bag: BagFactory, rng: np.random.Generator, share: float) -> None:
    """Write a drive; a share of its values are none that a robot would record."""
    def number(value: float, most: float = 1e308) -> Any:
        if rng.random() >= share:
            return value
        return float(np.clip(float(pick(rng, [n for n in NUMBERS if n != 10**400])), -most, most))

    def time(value: int) -> int:
        return value if rng.random() >= share else int(pick(
            rng, (0, 1, _START - 5 * _SECOND, _START * 2 % (2**31 * _SECOND), _SECOND * 2**30)))

    for i in range(12):
        stamp = _START + i * _SECOND // 4
        image = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        bag.odometry(time(stamp), number(i * 1.0), number(0.0), received=stamp)
        bag.pose_with_covariance(stamp, number(i * 1.0))
        bag.fix(time(stamp), number(47.0 + i * 1e-5), number(8.0), number(400.0))
        if not bag.ros1:
            bag.motion_capture(time(stamp), number(i * 1.0), received=stamp)
            bag.path(stamp, [(time(_START + j * _SECOND // 4), number(j * 1.0))
                             for j in range(i + 1)])
            parent = 'odom' if rng.random() >= share else pick(rng, ('base_link', ''))
            bag.transform(stamp, 'map', 'odom', number(0.5))
            bag.transform(time(stamp), parent, 'base_link', number(i * 1.0), received=stamp)
        bad = rng.random() < share
        bag.jpeg(stamp, image, header_stamp=time(stamp), data=rng.bytes(30) if bad else None)
        bag.image(stamp, image, encoding='rgb8' if rng.random() >= share else pick(
            rng, [word for word in WORDS if '\udcff' not in word and '\0' not in word]))


def damage(rng: np.random.Generator) -> bytes:
    """Return an archive of a bag: damaged in its bytes, its metadata or its messages."""
    files = whole()
    kind = rng.integers(6)
    if kind == 0:
        return pack({'bag.mcap': damaged(rng, files['bag.mcap'])})
    if kind == 1:
        return pack({'bag.bag': damaged(rng, files['bag.bag'])})
    if kind == 2:
        return pack({'sqlite.db3': damaged(rng, files['sqlite.db3'])})
    if kind == 3:
        yaml = damaged_text(rng, files['sqlite/metadata.yaml'].decode())
        return pack({'metadata.yaml': yaml, 'sqlite.db3': files['sqlite.db3']})
    if kind == 4:
        return pack({'metadata.yaml': files['bag/metadata.yaml'],
                     'bag.mcap': damaged(rng, files['bag.mcap'])})
    with tempfile.TemporaryDirectory() as folder:
        storage = pick(rng, ('mcap', 'ros1'))
        path = Path(folder) / ('said' if storage == 'mcap' else 'said.bag')
        with BagFactory(path, storage) as bag:
            _fill(bag, rng, rng.uniform(0, 0.2))
        found = path if path.is_file() else path / 'said.mcap'
        return pack({f'bag{found.suffix}': found.read_bytes()})


def check(data: bytes, folder: Path) -> str:
    """Build a map of a bag; where that succeeds, the map is sound."""
    path = folder / 'bag'
    path.mkdir()
    unpack(data, path)
    if not (path / 'metadata.yaml').exists():
        path = next(path.iterdir())
    choice = hashlib.sha256(data).digest()
    poses = _POSES if choice[2] < 128 else _MORE  # what was found keeps its choice
    output = folder / 'out.vpr'
    with suppress(BagError), BagSource(path) as source:
        source.topics()
        source.find_image_topic()
    try:
        build_map(BuildOptions(
            output, (path,), ('/camera/compressed', '/camera/image_raw')[choice[0] % 2],
            model=model(), threads=1, keyframe_distance=0.5, **poses[choice[1] % len(poses)]),
            progress=False)
    except (BagError, MapError):
        return 'told'
    return check_built(output)
