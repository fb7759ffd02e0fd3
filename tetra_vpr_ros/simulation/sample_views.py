# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Render places for training in the free levels that the demo does not drive.

Each place is seen from several poses: an anchor, and then shifted sideways,
forwards and turned a little. The files carry the names that place-recognition
tools speak, ``@utm_east@utm_north@…@heading@…@.jpg``; levels lie 10 km apart.

Usage: ``python -m tetra_vpr_ros.simulation.sample_views --out DIR``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.simulation.floor_plan import build_floor_plan
from tetra_vpr_ros.simulation.world import DoomWorld, LEVELS, Pose2D, WorldError
from tqdm import tqdm

# The demo and the tests drive these; no training picture may come from them.
DEMO_LEVELS = frozenset({'map01', 'map02', 'map11', 'e1m1', 'e1m2'})
LEVEL_SPACING = 10000.0


def training_levels() -> list[str]:
    """Return the names of all levels but the demo's."""
    return [name for name in LEVELS if name not in DEMO_LEVELS]


def view_name(level: str, place: int, view: int, pose: Pose2D) -> str:
    """
    Name a picture in the ``@utm@`` format of the VPR dataset tools.

    :returns: ``@ east @ north @ zone @ letter @ latitude @ longitude @ pano @ tile
        @ heading @ pitch @ roll @ height @ timestamp @ note @.jpg``, heading in
        degrees clockwise from north.
    """
    east = pose.x + LEVEL_SPACING * (1 + LEVELS.index(level))
    north = pose.y + LEVEL_SPACING
    heading = (90.0 - math.degrees(pose.yaw)) % 360.0
    return f'@{east:.2f}@{north:.2f}@@@@@{level}-{place:03d}@{view}@{heading:.1f}@@@@@@.jpg'


def sample_level(level: str, count: int, out: Path, views: int = 3, seed: int = 0) -> int:
    """
    Render places of a level from random free poses.

    :param level: name of the level.
    :param count: places.
    :param out: folder of the pictures.
    :param views: pictures of a place; the first is the anchor.
    :param seed: of the poses.
    :returns: how many pictures were written: 0 where there is too little free space.
    """
    rng = np.random.default_rng((seed, *level.encode()))
    with DoomWorld(level) as world:
        plan = build_floor_plan(world.sectors(), world.start)
        cells = np.argwhere(plan.free & (plan.clearance > 0.75))
        if len(cells) < count:
            return 0
        written = 0
        for place, cell in enumerate(rng.choice(cells, count, replace=False)):
            # Of four headings the one with the most structure: a wall seen
            # from 0.7 m shows no place.
            x, y = plan.to_point(*cell)
            seen = [world.look(Pose2D(x, y, rng.uniform(-math.pi, math.pi))) for _ in range(4)]
            image, anchor = max(seen, key=lambda item: _structure(item[0]))
            written += _write(out / view_name(level, place, 0, anchor), image)
            for view in range(1, views):
                other = _nearby(anchor, plan.clearance_at, rng)
                if other is not None:
                    image, pose = world.look(other)
                    written += _write(out / view_name(level, place, view, pose), image)
    return written


def _structure(image: NDArray[np.uint8]) -> float:
    small = cv2.resize(image, (64, 48), interpolation=cv2.INTER_AREA)
    return float(np.abs(np.diff(small.astype(int), axis=1)).mean())


def _nearby(anchor: Pose2D, clearance_at: Callable[[float, float], float],
            rng: np.random.Generator) -> Pose2D | None:
    """Shift a pose sideways by up to 1.2 m and forwards by up to 1 m, where there is room."""
    cos, sin = math.cos(anchor.yaw), math.sin(anchor.yaw)
    for _ in range(20):
        side, ahead = rng.uniform(-1.2, 1.2), rng.uniform(-1.0, 1.0)
        x, y = anchor.x + ahead * cos - side * sin, anchor.y + ahead * sin + side * cos
        if abs(side) > 0.3 and clearance_at(x, y) > 0.4:
            return Pose2D(x, y, anchor.yaw + rng.normal(0, math.radians(6)))
    return None


def _write(path: Path, image: NDArray[np.uint8]) -> int:
    small = cv2.resize(image, (341, 256), interpolation=cv2.INTER_AREA)
    return int(cv2.imwrite(str(path), small[:, :, ::-1]))


def main() -> None:
    """Render places of every training level."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--per-level', type=int, default=16, help='places')
    parser.add_argument('--views', type=int, default=3, help='pictures of a place')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    total = 0
    for level in tqdm(training_levels(), desc='levels'):
        try:
            total += sample_level(level, args.per_level, args.out, args.views)
        except WorldError as error:
            tqdm.write(f'skipped {level}: {error}')
    print(f'{total} pictures in {args.out}')


if __name__ == '__main__':
    main()
