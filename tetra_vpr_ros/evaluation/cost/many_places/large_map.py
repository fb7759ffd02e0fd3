# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a map of very many places takes: to write, to open, to ask, and of memory.

``python -m tetra_vpr_ros.evaluation.cost.many_places.large_map MAP FILTER ODOMETRY`` opens a map
in a process of its own, drives on it and prints one line of JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
import json
import os
from pathlib import Path
import subprocess
import sys
import time

import faiss
import numpy as np
from tetra_vpr_ros.evaluation.cost.many_places.made_up_way import MadeUpWay
from tetra_vpr_ros.evaluation.cost.many_places.token_reading import measure_token_reading
from tetra_vpr_ros.evaluation.cost.networks.memory_probe import peak_rss
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, View
from tetra_vpr_ros.mapping import NewPlace, PlaceMap, Pose
from tetra_vpr_ros.mapping.calibration import calibrate_map
from tetra_vpr_ros.mapping.pose import level_quaternion
from tetra_vpr_ros.vision import ModelInfo
from tqdm import tqdm

_BATCH = 5000
_FRAMES = 24       # of a drive along the map, and then as many of elsewhere
_STEP = 0.5        # metres between places
_SECOND_NS = 1_000_000_000
_DARKER = 0.15     # share of the bits in which a frame differs from its place

Asked = tuple[str, bool]
"""A localizer, and whether it is told odometry."""

LOCALIZERS: tuple[Asked, ...] = (('single', False), ('bayes', False), ('bayes', True))


def write_large_map(path: Path, places: int, bits: int, seed: int = 0, tokens: bool = False
                    ) -> dict[str, float]:
    """
    Build a map of a long way, whose views are made up, through the interface of `PlaceMap`.

    :param path: of the new map.
    :param places: how many.
    :param bits: of a descriptor.
    :param seed: of the views.
    :param tokens: each place has patch tokens, too, of the shipped model's size.
    :returns: ``places_per_s`` of writing, ``calibration_s`` and ``extra_bytes``, those of
        the file that are no descriptor, for each place.
    """
    rng = np.random.default_rng(seed)
    yaw = np.cumsum(rng.normal(scale=0.05, size=places))
    positions = np.cumsum(
        _STEP * np.stack([np.cos(yaw), np.sin(yaw), np.zeros(places)], axis=1), axis=0)
    quaternions = level_quaternion(yaw)
    way = MadeUpWay(bits, seed)
    info = ModelInfo(Path('made up'), f'{seed:064x}', 'made up', '0', bits, 1, 1, 'none',
                     (14, 14) if tokens else (0, 0), 128 if tokens else 0)
    patches = rng.integers(0, 256, (_BATCH, *info.token_shape), dtype=np.uint8)
    with PlaceMap.create(path, info) as place_map:
        session = place_map.begin_session('made up')
        seconds, done = 0.0, 0
        with tqdm(total=places, desc='writing', leave=False) as bar:
            for views in way.drive(places):
                descriptors = way.descriptors(views)
                began = time.perf_counter()
                for first in range(0, len(views), _BATCH):
                    place_map.add_places(session, [
                        NewPlace((at + 1) * _SECOND_NS, Pose(positions[at], quaternions[at]),
                                 descriptor, tokens=patches[at % _BATCH] if tokens else None)
                        for at, descriptor in enumerate(descriptors[first:first + _BATCH],
                                                        done + first)])
                seconds += time.perf_counter() - began
                done += len(views)
                bar.update(len(views))
        place_map.finish_session(session)
        began = time.perf_counter()
        calibrate_map(place_map)
        calibration = time.perf_counter() - began
    return {'places_per_s': places / seconds, 'calibration_s': calibration,
            'extra_bytes': path.stat().st_size / places - bits // 8}


def measure_opening(path: Path, filter_name: str, odometry: bool = False) -> dict[str, float]:
    """
    Open a map in a fresh process and drive on it.

    :param path: of the map.
    :param filter_name: of the localizer.
    :param odometry: it is told how it moves.
    :returns: ``first_answer_s``, ``frame_ms`` (median of later frames, on one core),
        ``slowest_ms``, and ``memory``: what opening and driving add to the peak of the process,
        as a multiple of descriptors and poses.
    """
    done = subprocess.run(
        [sys.executable, '-m', 'tetra_vpr_ros.evaluation.cost.many_places.large_map', str(path),
         filter_name, str(int(odometry))], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f'{filter_name} on {path}: {done.stderr.strip()[-300:]}')
    answer = json.loads(done.stdout.splitlines()[-1])
    return {key: float(value) for key, value in answer.items()}


def measure_large_map(folder: Path, places: int, bits: int, asked: Sequence[Asked],
                      tokens: bool = False) -> dict[str, object]:
    """
    Measure a large map from its writing to its answers.

    :param folder: for the map.
    :param places: how many.
    :param bits: of a descriptor.
    :param asked: localizers to open it with.
    :param tokens: its places have patch tokens, the reading of which is measured, too.
    """
    path = folder / 'large.vpr'
    written = write_large_map(path, places, bits, tokens=tokens)
    read = measure_token_reading(path) if tokens else {}
    return {'places': places, 'bits': bits, **written, **read,
            'filters': {f'{name} with odometry' if odometry else name:
                        measure_opening(path, name, odometry) for name, odometry in asked}}


def _open(path: Path, filter_name: str, odometry: bool) -> dict[str, float]:
    before = peak_rss()
    began = time.perf_counter()
    with PlaceMap.open_file(path) as place_map:
        localizer = make_localizer(place_map, LocalizerOptions(filter_name))
        opened = time.perf_counter() - began
        table = localizer.table
        # What a frame takes is told for one core.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        faiss.omp_set_num_threads(1)
        rng, start, seconds = np.random.default_rng(0), len(table) // 2, []
        for i in range(2 * _FRAMES):
            there = i < _FRAMES
            row = start + i
            flips = rng.random(table.descriptors.shape[1] * 8) < (_DARKER if there else 0.5)
            view = View(table.descriptors[row] ^ np.packbits(flips))
            asked = time.perf_counter()
            estimate = localizer.locate([view], i * _SECOND_NS // 2,
                                        table.pose(row) if odometry else None)
            seconds.append(time.perf_counter() - asked)
            off = abs(estimate.place_id - int(table.ids[row]))
            if there and i > _FRAMES // 2 and off > 3:
                raise RuntimeError(f'the place that is found is {off} beside the right one')
    held = table.descriptors.nbytes + table.positions.nbytes + table.quaternions.nbytes
    return {'first_answer_s': opened + seconds[0],
            'frame_ms': 1e3 * float(np.median(seconds[1:])), 'slowest_ms': 1e3 * max(seconds),
            'memory': (peak_rss() - before) / held}


if __name__ == '__main__':
    print(json.dumps(_open(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == '1')))
