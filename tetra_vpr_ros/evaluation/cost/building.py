# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast a map is built, against what the encoder alone could do."""

from __future__ import annotations

from functools import partial
from pathlib import Path
import subprocess
import sys
import tempfile
import time

import numpy as np
from tetra_vpr_ros.evaluation.cost.frame import camera_picture
from tetra_vpr_ros.evaluation.cost.timing import in_turns
from tetra_vpr_ros.vision import PlaceEncoder

_BATCH = 8


def write_pictures(folder: Path, count: int) -> None:
    """
    Write numbered pictures of 640x480 pixels and, in ``poses.tum``, a place for each.

    :param folder: for the files; it exists.
    :param count: of the pictures.
    """
    for i in range(count):
        (folder / f'{i:06d}.jpg').write_bytes(camera_picture(i))
    (folder / 'poses.tum').write_text(''.join(f'{i} {i} 0 0 0 0 0 1\n' for i in range(count)))


def encoder_rate(encoder: PlaceEncoder, batches: int) -> float:
    """Return the images a second that the encoder alone makes of, with patch tokens."""
    rng = np.random.default_rng(0)
    shape = (encoder.info.height, encoder.info.width, 3)
    pictures = list(rng.integers(0, 256, (_BATCH, *shape), dtype=np.uint8))
    (seconds,) = in_turns([partial(encoder.encode_with_tokens, pictures)], batches,
                          'encoder alone')
    return _BATCH / float(np.median(seconds))


def measure_building(model: Path, threads: int, batches: int = 40, seconds: float = 20.0
                     ) -> dict[str, float]:
    """
    Time a whole command that builds a map of JPEG files: start, encoding, storing, calibration.

    :param model: of the map.
    :param threads: of the encoder alone; the command takes all cores.
    :param batches: that the encoder alone makes of, before and after the command.
    :param seconds: that the encoder alone would take for the pictures of the map.
    :returns: ``images_per_s`` of the command, ``encoder_images_per_s`` of the encoder alone, and
        how many ``places`` the map has.
    :raises RuntimeError: the command failed.
    """
    encoder = PlaceEncoder(model, threads=threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / 'pictures'
        folder.mkdir()
        before = encoder_rate(encoder, batches)
        pictures = max(_BATCH, round(seconds * before))
        write_pictures(folder, pictures)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, '-m', 'tetra_vpr_ros.nodes.vpr_map', 'import', str(folder), '--map',
             str(Path(name) / 'built.vpr'), '--poses', f'tum:{folder / "poses.tum"}:number',
             '--model', str(model)], capture_output=True, text=True, check=False)
        taken = time.perf_counter() - began
        after = encoder_rate(encoder, batches)
    if done.returncode:
        raise RuntimeError(f'vpr_map import failed: {done.stderr[-300:]}')
    return {'images_per_s': pictures / taken, 'encoder_images_per_s': (before + after) / 2,
            'places': pictures}
