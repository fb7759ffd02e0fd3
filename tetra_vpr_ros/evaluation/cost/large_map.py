# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a map of very many places takes: to write, to open, to ask, and of memory.

``python -m tetra_vpr_ros.evaluation.cost.large_map MAP FILTER`` opens a map in a process of
its own and prints one line of JSON: seconds to the first answer, milliseconds of
later ones, and memory.
"""

from __future__ import annotations

from collections.abc import Sequence
import json
from pathlib import Path
import subprocess
import sys
import time

import numpy as np
from tetra_vpr_ros.evaluation.cost.memory_probe import peak_rss
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, View
from tetra_vpr_ros.mapping import NewPlace, PlaceMap, Pose
from tetra_vpr_ros.mapping.calibration import calibrate_map
from tetra_vpr_ros.vision import ModelInfo
from tqdm import tqdm

_BATCH = 5000
_QUERIES = 12
_SECOND_NS = 1_000_000_000


def write_large_map(path: Path, places: int, bits: int, seed: int = 0) -> dict[str, float]:
    """
    Build a map of random descriptors along a way, through the interface of `PlaceMap`.

    :param path: of the new map.
    :param places: how many.
    :param bits: of a descriptor.
    :param seed: of the descriptors.
    :returns: ``places_per_s`` of writing, ``calibration_s`` and ``extra_bytes``, those of
        the file that are no descriptor, for each place.
    """
    rng = np.random.default_rng(seed)
    descriptors = rng.integers(0, 256, (places, bits // 8), dtype=np.uint8)
    yaw = np.cumsum(rng.normal(scale=0.05, size=places))
    positions = np.cumsum(
        0.5 * np.stack([np.cos(yaw), np.sin(yaw), np.zeros(places)], axis=1), axis=0)
    quaternions = np.stack([np.zeros(places), np.zeros(places), np.sin(yaw / 2),
                            np.cos(yaw / 2)], axis=1)
    info = ModelInfo(Path('random'), f'{seed:064x}', 'random', '0', bits, 1, 1, 'none')
    with PlaceMap.create(path, info) as place_map:
        session = place_map.begin_session('random')
        seconds = 0.0
        for first in tqdm(range(0, places, _BATCH), desc='writing', leave=False):
            rows = range(first, min(places, first + _BATCH))
            began = time.perf_counter()
            place_map.add_places(session, [
                NewPlace((i + 1) * _SECOND_NS, Pose(positions[i], quaternions[i]),
                         descriptors[i]) for i in rows])
            seconds += time.perf_counter() - began
        place_map.finish_session(session)
        began = time.perf_counter()
        calibrate_map(place_map)
        calibration = time.perf_counter() - began
    return {'places_per_s': places / seconds, 'calibration_s': calibration,
            'extra_bytes': path.stat().st_size / places - bits // 8}


def measure_opening(path: Path, filter_name: str) -> dict[str, float]:
    """
    Open a map in a fresh process and ask it.

    :param path: of the map.
    :param filter_name: of the localizer.
    :returns: ``first_answer_s``, ``query_ms`` (median) and ``memory``: what opening adds to
        the peak of the process, as a multiple of descriptors and poses.
    """
    done = subprocess.run(
        [sys.executable, '-m', 'tetra_vpr_ros.evaluation.cost.large_map', str(path), filter_name],
        capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    return {key: float(value) for key, value in answer.items()}


def measure_large_map(folder: Path, places: int, bits: int, filters: Sequence[str]
                      ) -> dict[str, object]:
    """
    Measure a large map from its writing to its answers.

    :param folder: for the map.
    :param places: how many.
    :param bits: of a descriptor.
    :param filters: localizers to open it with.
    """
    path = folder / 'large.vpr'
    written = write_large_map(path, places, bits)
    return {'places': places, 'bits': bits, **written,
            'filters': {name: measure_opening(path, name) for name in filters}}


def _open(path: Path, filter_name: str) -> dict[str, float]:
    before = peak_rss()
    began = time.perf_counter()
    with PlaceMap.open_file(path) as place_map:
        localizer = make_localizer(place_map, LocalizerOptions(filter_name))
        table = localizer.table
        seen = table.descriptors[:: max(1, len(table) // _QUERIES)][:_QUERIES]
        seconds = []
        for i, descriptor in enumerate(seen):
            asked = time.perf_counter()
            estimate = localizer.locate([View(descriptor)], (i + 1) * _SECOND_NS)
            seconds.append(time.perf_counter() - asked)
            if not i:
                first = time.perf_counter() - began
            if estimate.candidates[0].distance:
                raise RuntimeError(f'{filter_name} does not find a place of the map')
            localizer.reset()
    held = table.descriptors.nbytes + table.positions.nbytes + table.quaternions.nbytes
    return {'first_answer_s': first, 'query_ms': 1e3 * float(np.median(seconds[1:])),
            'memory': (peak_rss() - before) / held}


if __name__ == '__main__':
    print(json.dumps(_open(Path(sys.argv[1]), sys.argv[2])))
