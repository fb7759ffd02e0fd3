# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The model files that are compared: ours in every format, and the usual networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import subprocess
import sys

import onnxruntime
from tetra_vpr_ros.evaluation.cost.networks import AUTHORS_SIZE
from tetra_vpr_ros.evaluation.cost.networks.baselines import quantize_baseline, write_baseline
from tetra_vpr_ros.evaluation.cost.timing import open_session
from tqdm import tqdm

FORMATS = ('packed-uint8', 'int2', 'matmulnbits', 'float32')


@dataclass(frozen=True)
class Candidate:
    """A model file to be measured."""

    name: str
    weights: str
    path: Path


def other_formats(model: Path, folder: Path, left_out: list[str]) -> list[Candidate]:
    """
    Return the model in every format; the others are exported by the training extra.

    :param model: of the format ``packed-uint8``.
    :param folder: for the exported files.
    :param left_out: takes the reason where a format cannot be made or opened.
    """
    found = [Candidate('tetra', 'packed-uint8', model)]
    for name in FORMATS[1:]:
        path = folder / f'tetra_{name}.onnx'
        done = subprocess.run(
            [sys.executable, '-m', 'tetra_vpr_ros.training.train', 'export', '--checkpoint',
             str(model), '--format', name, '--out', str(path)],
            capture_output=True, text=True, check=False)
        if done.returncode:
            left_out.append(f'tetra/{name}: {(done.stderr or done.stdout).strip()[-300:]}')
            continue
        try:
            open_session(path, 1)
        except Exception as error:  # onnxruntime has no common exception class
            left_out.append(f'tetra/{name}: onnxruntime {onnxruntime.__version__} cannot open '
                            f'it: {error}')
            continue
        found.append(Candidate('tetra', name, path))
    return found


def baselines(names: Sequence[str], ours: int, folder: Path) -> list[Candidate]:
    """Write the field's networks at their authors' size and at ours, float32 and int8."""
    found = []
    for name in tqdm(names, desc='baselines', leave=False):
        for size in dict.fromkeys((AUTHORS_SIZE[name], ours)):
            path = write_baseline(name, size, folder)
            found += [Candidate(name, 'float32', path),
                      Candidate(name, 'int8', quantize_baseline(path, name, size))]
    return found
