# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
From the start of a process to its first match: what takes the time.

``python -m tetra_vpr_ros.evaluation.cost.start_up MODEL MAP JPEG`` prints one line of JSON with
the seconds of each stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import time


def _since_start() -> float:
    """Return the seconds since this process was started, to a hundredth."""
    # The name of the program, in brackets, may hold anything.
    fields = Path('/proc/self/stat').read_text().rpartition(')')[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf('SC_CLK_TCK')


def main() -> None:
    """Locate one picture and print what it took, from the start of the process."""
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        yield
        seconds[name] = _since_start() - sum(seconds.values())

    model, path, picture = map(Path, sys.argv[1:4])
    with stage('imports'):  # as a robot would: nothing of it is measured above
        from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, View
        from tetra_vpr_ros.mapping.map.place_map import PlaceMap
        from tetra_vpr_ros.vision import decode_compressed, PlaceEncoder
    with stage('session'):
        encoder = PlaceEncoder(model)
    with PlaceMap.open_file(path) as place_map:
        with stage('map'):
            localizer = make_localizer(place_map, LocalizerOptions())
        with stage('first_frame'):
            image = decode_compressed(picture.read_bytes())
            ((descriptor, tokens),) = encoder.encode_with_tokens([image])
            estimate = localizer.locate([View(descriptor, tokens=tokens)], 0)
    if estimate.candidates[0].distance:
        raise RuntimeError('the place of the picture is not found')
    print(json.dumps({**seconds, 'whole': sum(seconds.values()),
                      'processor': time.process_time()}))


def measure_start(model: Path, places: int = 10_000, runs: int = 7) -> dict[str, float]:
    """
    Start a process again and again until it has localised a picture.

    :param model: its file.
    :param places: of the map.
    :param runs: of which the fastest is told, after one that fills the disk's cache: what other
        programs take is not ours.
    :returns: seconds of the stages, ``imports``, ``session``, ``map`` and ``first_frame``, of
        the ``whole``, and of the ``processor``.
    :raises RuntimeError: the process fails; its last words are said.
    """
    # Only here: the process that is measured imports this file, too.
    from tetra_vpr_ros.evaluation.cost.frame import camera_picture, write_line_map
    from tetra_vpr_ros.vision import PlaceEncoder
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path, picture = Path(folder) / 'line.vpr', Path(folder) / 'picture.jpg'
        picture.write_bytes(camera_picture())
        write_line_map(path, PlaceEncoder(model), picture.read_bytes(), places)
        for _ in range(runs + 1):
            done = subprocess.run(
                [sys.executable, '-m', 'tetra_vpr_ros.evaluation.cost.start_up', str(model),
                 str(path), str(picture)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f'the start failed: {done.stderr.strip()[-300:]}')
            found.append(json.loads(done.stdout.splitlines()[-1]))
    fastest: dict[str, float] = min(found[1:], key=lambda run: float(run['whole']))
    return fastest


if __name__ == '__main__':
    main()
