# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How the cost of a place grows with the tokens of the encoder, the bits and the map."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import numpy as np
from tetra_vpr_ros.evaluation.cost.machine import hardware
from tetra_vpr_ros.evaluation.cost.search import measure_search
from tetra_vpr_ros.evaluation.cost.timing import in_turns, open_session, random_input
from tqdm import tqdm

PATCH = 14
INPUTS = (112, 154, 196, 238, 280, 322)
BITS = (512, 1024, 2048, 4096, 8192)
PLACES = (10_000, 30_000, 100_000, 300_000)
FORMATS = ('packed-uint8', 'float32')

Point = dict[str, object]


def write_network(folder: Path, side: int, bits: int, weights: str) -> Path:
    """
    Export a network of the shipped model's shape with random weights.

    :param folder: for the file.
    :param side: of the input, pixels.
    :param bits: of the descriptor.
    :param weights: format of the weights.
    :raises RuntimeError: the training extra is missing or refuses the shape; it says why.
    """
    recipe, out = folder / 'recipe.json', folder / f'{side}_{bits}_{weights}.onnx'
    recipe.write_text(json.dumps({'run': str(folder), 'network': {  # JSON is YAML
        'vit': {'size': 'small', 'depth': 8, 'image_size': side, 'patch_size': PATCH},
        'aggregation': {'kind': 'grid', 'rows': 8, 'cols': 2, 'bits': bits}}}))
    done = subprocess.run(
        [sys.executable, '-m', 'tetra_vpr_ros.training.train', 'export', '--untrained',
         '--config', str(recipe), '--format', weights, '--out', str(out)],
        capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f'no network of {side} pixels and {bits} bits: '
                           f'{(done.stderr or done.stdout).strip()[-300:]}')
    return out


def measure_scaling(folder: Path, threads: int, iterations: int, inputs: Sequence[int] = INPUTS,
                    bits: Sequence[int] = BITS, places: Sequence[int] = PLACES
                    ) -> dict[str, object]:
    """
    Measure the three sweeps; the encoders in turns, in one run.

    :returns: ``hardware`` and the lists ``encoder`` (tokens, bits, format, file_mb, p50_ms)
        and ``search`` (places, bits, p50_ms).
    :raises RuntimeError: a network cannot be exported.
    """
    shapes = [(side, 2048, weights) for side in inputs for weights in FORMATS]
    shapes += [(196, size, 'packed-uint8') for size in bits if (196, size) != (196, 2048)]
    files = [write_network(folder, *shape) for shape in tqdm(shapes, desc='networks')]
    sessions = [open_session(path, threads) for path in files]
    times = in_turns([partial(s.run, None, random_input(s, 1)) for s in sessions], iterations,
                     'latency')
    encoder: list[Point] = [
        {'tokens': (side // PATCH) ** 2 + 1, 'bits': size, 'format': weights,
         'file_mb': path.stat().st_size / 1e6, 'p50_ms': 1e3 * float(np.median(seconds))}
        for (side, size, weights), path, seconds in zip(shapes, files, times)]
    search = [point for size in bits if size <= 4096
              for point in measure_search(size, iterations, places)]
    return {'hardware': hardware(threads), 'encoder': encoder, 'search': search}


def draw_scaling(report: dict[str, object], path: Path) -> None:
    """Draw the three sweeps side by side as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    encoder: Any = report['encoder']
    search: Any = report['search']
    figure = Figure(figsize=(12, 3.6))
    FigureCanvasAgg(figure)  # no display is needed
    tokens, bits, places = figure.subplots(1, 3)
    for weights, colour in zip(FORMATS, ('tab:blue', 'tab:orange')):
        line = sorted((p['tokens'], p['p50_ms']) for p in encoder
                      if p['format'] == weights and p['bits'] == 2048)
        tokens.plot(*zip(*line), 'o-', color=colour, label=weights)
    line = sorted((p['bits'], p['p50_ms']) for p in encoder
                  if p['format'] == 'packed-uint8' and p['tokens'] == (196 // PATCH) ** 2 + 1)
    bits.plot(*zip(*line), 'o-', color='tab:blue')
    for size in sorted({p['bits'] for p in search}):
        line = sorted((p['places'], p['p50_ms']) for p in search if p['bits'] == size)
        places.plot(*zip(*line), 'o-', label=f'{size} bits')
    tokens.set(title='encoder', xlabel='tokens', ylabel='p50 [ms]', xlim=0, ylim=0)
    bits.set(title='encoder, 197 tokens', xlabel='bits of the descriptor', ylabel='p50 [ms]',
             xlim=0, ylim=0)
    places.set(title='search for ten places, one thread', xlabel='places in the map',
               ylabel='p50 [ms]', xscale='log', yscale='log')
    for axes in (tokens, bits, places):
        axes.grid(alpha=0.3)
    tokens.legend()
    places.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
