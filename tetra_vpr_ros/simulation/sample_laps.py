# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Render two laps through levels, the second driven differently and seen by another camera.

The pictures take turns, one of the first lap, one of the second, and ``pairs.csv`` lists which
show the same place: what ``calibrate_model --places DIR=pairs:DIR/pairs.csv`` asks for, free of
anybody's terms. Name levels that the model was not trained on. Usage:
``python -m tetra_vpr_ros.simulation.sample_laps --out DIR map10 e2m3``.
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path
import sys

import cv2
import numpy as np
from tetra_vpr_ros.simulation.camera import CameraEffects, SECOND_LAP_CAMERA
from tetra_vpr_ros.simulation.floor_plan import build_floor_plan
from tetra_vpr_ros.simulation.level import level_name, Pose2D, WorldError
from tetra_vpr_ros.simulation.route import drive, plan_lap, second_lap
from tetra_vpr_ros.simulation.world import DoomWorld
from tqdm import tqdm

SAME_PLACE = 1.5, math.radians(30.0)
"""Largest distance, metres, and turn of two cameras that see the same place."""


def sample_laps(level: str, out: Path, step: float = 1.0, seed: int = 0
                ) -> list[tuple[str, str]]:
    """
    Render two laps through a level.

    :param level: name of the level.
    :param out: folder of the pictures, which exists.
    :param step: metres between two pictures of a lap.
    :param seed: of the second lap's way and camera.
    :returns: names of the pictures of each pair that shows one place, without ending.
    :raises WorldError: there is no such level, or no room in it.
    """
    rng = np.random.default_rng((seed, *level.encode()))
    seen: tuple[list[Pose2D], list[Pose2D]] = ([], [])
    with DoomWorld(level) as world:
        plan = build_floor_plan(world.sectors(), world.start)
        first = drive(plan_lap(plan), step)
        laps = ((first, CameraEffects()), (second_lap(plan, first, rng), SECOND_LAP_CAMERA))
        for lap, (poses, camera) in enumerate(laps):
            for number, pose in enumerate(tqdm(poses, desc=f'{level}, lap {lap + 1}',
                                               unit='picture', leave=False)):
                image, stood = world.look(pose)
                seen[lap].append(stood)
                cv2.imwrite(str(out / f'{_name(level, number, lap)}.jpg'),
                            camera.apply(image, rng)[:, :, ::-1])
    return [(_name(level, i, 0), _name(level, j, 1)) for i, a in enumerate(seen[0])
            for j, b in enumerate(seen[1]) if _same_place(a, b)]


def _name(level: str, number: int, lap: int) -> str:
    return f'{level}-{number:05d}-{lap + 1}'


def _same_place(a: Pose2D, b: Pose2D) -> bool:
    turn = (a.yaw - b.yaw + math.pi) % (2 * math.pi) - math.pi
    return math.hypot(a.x - b.x, a.y - b.y) <= SAME_PLACE[0] and abs(turn) <= SAME_PLACE[1]


def main() -> int:
    """
    Render laps through some levels.

    :returns: 0, or 1 on an error.
    """
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('levels', nargs='+', metavar='LEVEL', help='map01 … map32, e1m1 … e4m9')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR')
    parser.add_argument('--step', type=float, default=1.0, metavar='METRES',
                        help='between two pictures of a lap (default: 1)')
    args = parser.parse_args()
    if not args.step > 0:
        parser.error('--step must be more than 0 m')
    try:
        levels = [level_name(level) for level in args.levels]
    except WorldError as error:
        parser.error(str(error))
    if any(args.out.glob('*.jpg')):
        parser.error(f'--out {args.out} holds pictures already, of which pairs.csv would know '
                     'nothing: name another folder')
    args.out.mkdir(parents=True, exist_ok=True)
    pairs: list[tuple[str, str]] = []
    for level in levels:
        try:
            pairs += sample_laps(level, args.out, args.step)
        except WorldError as error:
            print(f'sample_laps: {error}', file=sys.stderr)
            return 1
    with (args.out / 'pairs.csv').open('w', newline='') as file:
        csv.writer(file).writerows([('a', 'b'), *pairs])
    print(f'{len(pairs)} pairs of one place in {args.out}/pairs.csv')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
