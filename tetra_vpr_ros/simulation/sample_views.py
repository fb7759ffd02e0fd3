# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Render places for training in the free levels that the demo does not drive.

Each place is seen from several poses: an anchor, and then shifted sideways,
forwards and turned a little. The files carry the names that place-recognition
tools speak, ``@utm_east@utm_north@…@heading@…@.jpg``; levels lie 10 km apart.
Label maps and depth may be written beside them: the engine knows both.

Usage: ``python -m tetra_vpr_ros.simulation.sample_views --out DIR``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import json
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.command_line import whole
from tetra_vpr_ros.simulation.floor_plan import build_floor_plan
from tetra_vpr_ros.simulation.level import LEVELS, Pose2D, WorldError
from tetra_vpr_ros.simulation.world import DoomWorld, FOCAL
from tetra_vpr_ros.vision.image_files import ViewName
from tqdm import tqdm

# The demo and the tests drive these; no training picture may come from them.
DEMO_LEVELS = frozenset({'map01', 'map02', 'map11', 'e1m1', 'e1m2'})
LEVEL_SPACING = 10000.0
_SIZE = (341, 256)


def training_levels() -> list[str]:
    """Return the names of all levels but the demo's."""
    return [name for name in LEVELS if name not in DEMO_LEVELS]


def view_name(level: str, place: int, view: int, pose: Pose2D, height: float) -> str:
    """
    Name a picture as the tools of place recognition do, see `ViewName`.

    :param height: metres.
    """
    return str(ViewName(
        pose.x + LEVEL_SPACING * (1 + LEVELS.index(level)), pose.y + LEVEL_SPACING,
        panorama=f'{level}-{place:03d}', tile=str(view),
        heading=(90.0 - math.degrees(pose.yaw)) % 360.0, height=height))


def sample_level(level: str, count: int, out: Path, views: int = 3, seed: int = 0,
                 labels: Path | None = None, depth: Path | None = None) -> int:
    """
    Render places of a level from random free poses.

    :param level: name of the level.
    :param count: places.
    :param out: folder of the pictures.
    :param views: pictures of a place; the first is the anchor.
    :param seed: of the poses.
    :param labels: folder of label maps with the same names, indices of `world.CLASSES`.
    :param depth: folder of depth maps with the same names, see `write_depth`, and of
        ``camera.json``: the focal lengths in widths and heights of a picture.
    :returns: how many pictures were written: 0 where there is too little free space.
    """
    rng = np.random.default_rng((seed, *level.encode()))
    with DoomWorld(level, segmentation=labels is not None, depth=depth is not None) as world:
        def save(place: int, view: int, pose: Pose2D) -> int:
            image, real = world.look(pose)
            name = view_name(level, place, view, real, world.height())
            if labels is not None:
                classes = cv2.resize(world.segment(), _SIZE, interpolation=cv2.INTER_NEAREST)
                cv2.imwrite(str((labels / name).with_suffix('.png')), classes)
            if depth is not None:
                write_depth(world.depth(), (depth / name).with_suffix('.png'))
            small = cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA)
            return int(cv2.imwrite(str(out / name), small[:, :, ::-1]))

        if depth is not None:
            (depth / 'camera.json').write_text(json.dumps({'focal': FOCAL}))
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
            _, anchor = max(seen, key=lambda item: _structure(item[0]))
            written += save(place, 0, anchor)
            for view in range(1, views):
                other = _nearby(anchor, plan.clearance_at, rng)
                if other is not None:
                    written += save(place, view, other)
    return written


def write_depth(metres: NDArray[np.float32], path: Path) -> None:
    """
    Write a depth map.

    :param metres: along the optical axis ``[H, W]``, infinite where nothing is.
    :param path: of the picture's size, 16-bit PNG in centimetres; 0 where nothing is.
    """
    small = cv2.resize(metres, _SIZE, interpolation=cv2.INTER_NEAREST)
    centimetres = np.where(np.isfinite(small), small * 100, 0).astype(np.uint16)
    cv2.imwrite(str(path), centimetres)


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


def main() -> None:
    """Render places of every training level."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--per-level', type=whole(1), default=16, help='places')
    parser.add_argument('--views', type=whole(1), default=3, help='pictures of a place')
    parser.add_argument('--labels', type=Path, metavar='DIR',
                        help='write label maps with the same names, too')
    parser.add_argument('--depth', type=Path, metavar='DIR',
                        help='write depth maps with the same names, too')
    args = parser.parse_args()
    if args.depth is not None and args.depth in (args.out, args.labels):
        parser.error('--depth needs a folder of its own: its files have the names of the others')
    for folder in (args.out, args.labels, args.depth):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for level in tqdm(training_levels(), desc='levels'):
        try:
            total += sample_level(level, args.per_level, args.out, args.views,
                                  labels=args.labels, depth=args.depth)
        except WorldError as error:
            tqdm.write(f'skipped {level}: {error}')
    print(f'{total} pictures in {args.out}')


if __name__ == '__main__':
    main()
