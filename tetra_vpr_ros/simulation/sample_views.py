# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Render training pictures in the free levels that the demo does not drive.

Usage: ``python -m tetra_vpr_ros.simulation.sample_views --out DIR``.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import cv2
import numpy as np
from tetra_vpr_ros.simulation.floor_plan import build_floor_plan
from tetra_vpr_ros.simulation.world import DoomWorld, LEVELS, Pose2D, WorldError
from tqdm import tqdm

# The demo and the tests drive these; no training picture may come from them.
DEMO_LEVELS = frozenset({'map01', 'map02', 'map11', 'e1m1', 'e1m2'})


def training_levels() -> list[str]:
    """Return the names of all levels but the demo's."""
    return [name for name in LEVELS if name not in DEMO_LEVELS]


def sample_level(level: str, count: int, out: Path, seed: int = 0) -> int:
    """
    Render a level from random free poses as ``<level>__<n>.jpg``.

    :returns: how many pictures were written: 0 where there is no free space.
    """
    rng = np.random.default_rng((seed, *level.encode()))
    with DoomWorld(level) as world:
        plan = build_floor_plan(world.sectors(), world.start)
        cells = np.argwhere(plan.free & (plan.clearance > 0.75))
        if len(cells) < count:
            return 0
        for n, cell in enumerate(rng.choice(cells, count, replace=False)):
            # Of four headings the one with the most structure: a wall seen
            # from 0.7 m shows no place.
            x, y = plan.to_point(*cell)
            views = [world.look(Pose2D(x, y, rng.uniform(-math.pi, math.pi)))[0]
                     for _ in range(4)]
            best = max(views, key=lambda v: float(np.abs(np.diff(cv2.resize(
                v, (64, 48), interpolation=cv2.INTER_AREA).astype(int), axis=1)).mean()))
            small = cv2.resize(best, (341, 256), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(out / f'{level}__{n:03d}.jpg'), small[:, :, ::-1])
    return count


def main() -> None:
    """Render pictures of every training level."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--per-level', type=int, default=16)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    total = 0
    for level in tqdm(training_levels(), desc='levels'):
        try:
            total += sample_level(level, args.per_level, args.out)
        except WorldError as error:
            tqdm.write(f'skipped {level}: {error}')
    print(f'{total} pictures in {args.out}')


if __name__ == '__main__':
    main()
