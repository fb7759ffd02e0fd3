# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The main job, end to end, with real processes on real ROS 2.

A simulated robot drives a mapping lap and writes a bag; ``build_map`` makes
the map; ``localize`` starts as a process of its own; the robot drives a second
lap, differently, and publishes what it sees; what arrives on ``/vpr/match`` is
compared with the truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
import csv
import json
import math
import os
from pathlib import Path
import random
import shutil
import subprocess
import sys
import time
from typing import Any

from demo.looking import live_view, replay
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.places import evenly
from tetra_vpr_ros.simulation.bag import write_bag
from tetra_vpr_ros.simulation.camera import SECOND_LAP_CAMERA
from tetra_vpr_ros.simulation.floor_plan import build_floor_plan, FloorPlan
from tetra_vpr_ros.simulation.level import level_name, Pose2D, WorldError
from tetra_vpr_ros.simulation.route import drive, plan_lap, second_lap
from tetra_vpr_ros.simulation.world import DoomWorld
from tetra_vpr_ros.viewing import map_report
from tetra_vpr_ros.vision import decode_compressed, PlaceEncoder
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
RATE = 10.0           # frames per second, both laps
FIELD_OF_VIEW = 90.0  # degrees, the world's
_MADE = {'mapping_bag', 'second_lap.json', 'truth.csv', 'report.json', 'trajectory.png',
         'matches.png', 'map_report'}  # beside the map and its side files
NEAR, WRONG = 1.0, 3.0  # metres: a recalled place, a wrong match


def record_mapping_lap(world: DoomWorld, poses: list[Pose2D], bag: Path) -> NDArray[np.float64]:
    """Drive the mapping lap into a bag; return the positions driven."""
    driven: list[tuple[float, float]] = []

    def frames() -> Iterator[tuple[int, Pose2D, NDArray[np.uint8]]]:
        begin = 1_700_000_000_000_000_000
        for i, pose in enumerate(tqdm(poses, desc='mapping lap', unit='frame')):
            image, stood = world.look(pose)
            driven.append((stood.x, stood.y))
            yield begin + int(i * 1e9 / RATE), stood, image

    write_bag(bag, frames())
    return np.array(driven)


def environment(domain: int) -> dict[str, str]:
    """Return an environment whose ROS traffic stays on this machine, in this domain."""
    profiles = str(ROOT / 'config' / 'fastdds_localhost.xml')
    return {**os.environ, 'PYTHONUNBUFFERED': '1',
            'PYTHONPATH': f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'ROS_DOMAIN_ID': str(domain),
            'FASTDDS_DEFAULT_PROFILES_FILE': profiles,
            'FASTRTPS_DEFAULT_PROFILES_FILE': profiles}  # what Jazzy and Humble read


def localize_second_lap(map_file: Path, level: str, poses: list[Pose2D], out: Path,
                        in_step: bool) -> Any:
    """
    Run the localizer and the robot as processes; return what a listener heard.

    :param in_step: no frame is lost or dropped, however busy the machine is.
    """
    from demo.listener import Listener
    from lifecycle_msgs.msg import Transition
    (out / 'second_lap.json').write_text(json.dumps([[p.x, p.y, p.yaw] for p in poses]))
    localizer = subprocess.Popen(
        [sys.executable, '-m', 'tetra_vpr_ros.nodes.localize', '--ros-args',
         '-p', f'map:={map_file}', '-p', 'image_topics:=[/camera/image_raw]',
         *(['-p', 'qos_overrides./camera/image_raw.subscription.reliability:=reliable']
           if in_step else [])])
    robot: subprocess.Popen[bytes] | None = None
    try:
        with Listener(localizer) as listener:
            listener.change_state(Transition.TRANSITION_CONFIGURE, 'configure')
            listener.change_state(Transition.TRANSITION_ACTIVATE, 'activate')
            robot = subprocess.Popen(
                [sys.executable, '-m', 'demo.drive', '--level', level, '--rate', str(RATE),
                 '--poses', str(out / 'second_lap.json'), '--truth', str(out / 'truth.csv'),
                 *(['--in-step', '--wait', '120'] if in_step else [])])
            while robot.poll() is None:
                listener.spin(0.1)
            if robot.returncode:
                raise SystemExit('the robot stopped early: see its message above')
            deadline = time.monotonic() + (120.0 if in_step else 2.0)
            while time.monotonic() < deadline and listener.answers < len(poses):
                listener.spin(0.1)
            listener.change_state(Transition.TRANSITION_DEACTIVATE, 'deactivate')
            listener.change_state(Transition.TRANSITION_CLEANUP, 'clean up')
            return listener
    finally:
        for process in (robot, localizer):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    print(f'process {process.pid} did not end: killed')
                    process.kill()


def yaw_of(orientation: Any) -> float:
    """Return the heading of a quaternion of a level robot, radians."""
    return 2.0 * math.atan2(orientation.z, orientation.w)


def evaluate(listener: Any, map_file: Path, out: Path) -> tuple[dict[str, Any], list[Any]]:
    """Compare what was heard with the truth."""
    from demo.figures import Match
    with (out / 'truth.csv').open() as file:
        rows = {int(row['stamp_ns']): row for row in csv.DictReader(file)}
    truth = {stamp: (float(row['x']), float(row['y'])) for stamp, row in rows.items()}
    best = {stamp: (pose.position.x, pose.position.y)
            for stamp, pose in listener.best.items() if stamp in truth}
    near = [np.hypot(*(np.subtract(truth[stamp], point))) <= NEAR
            for stamp, point in best.items()]
    matches = [Match(stamp, truth[stamp],
                     (message.pose.pose.position.x, message.pose.pose.position.y))
               for stamp, message in sorted(listener.matches.items()) if stamp in truth]
    errors = np.array([match.error for match in matches])
    with PlaceMap.open_file(map_file) as place_map:
        places, meta = len(place_map), place_map.meta()
    turned = [math.remainder(yaw_of(message.pose.pose.orientation) - float(rows[stamp]['yaw']),
                             2 * math.pi)
              for stamp, message in listener.matches.items() if stamp in rows]
    latency = np.array(listener.latencies or [np.nan])
    report = {
        'map_places': places,
        'frames': len(truth),
        'queries': len(best),
        'matches': len(matches),
        'median_error_m': round(float(np.median(errors)), 3) if len(errors) else None,
        'median_heading_error_deg':
            round(math.degrees(np.median(np.abs(turned))), 2) if turned else None,
        'recall_1m': round(float(np.mean(near)), 4) if near else None,
        'false_match_rate': round(float(np.mean(errors > WRONG)), 4) if len(errors) else None,
        'latency_ms': {'p50': round(float(np.percentile(latency, 50)), 1),
                       'p95': round(float(np.percentile(latency, 95)), 1)},
        'model': meta['model_name'],
        'bits': meta['bits'],
    }
    return report, matches


def draw(report: dict[str, Any], matches: list[Any], plan: FloorPlan,
         mapping: NDArray[np.float64], second: list[Pose2D], map_file: Path, level: str,
         out: Path, encoder: PlaceEncoder) -> None:
    """Draw both pictures; the queries are rendered again from where they were taken."""
    from demo.figures import draw_matches, draw_trajectory
    driven = np.array([[p.x, p.y] for p in second])
    draw_trajectory(out / 'trajectory.png', plan, mapping, driven, matches, WRONG,
                    f"{level}: {report['matches']} matches of {report['queries']} queries, "
                    f"median error {report['median_error_m']} m")
    rng = np.random.default_rng(3)
    chosen = [matches[i] for i in evenly(len(matches), 6)]
    chosen += sorted(matches, key=lambda match: -match.error)[:2]
    rows = []
    with DoomWorld(level) as world, PlaceMap.open_file(map_file) as place_map:
        table = place_map.places()
        for match in chosen:
            at = int(np.argmin(np.hypot(*(driven - match.truth).T)))
            query = SECOND_LAP_CAMERA.apply(world.look(second[at])[0], rng)
            place = int(np.argmin(np.hypot(*(table.positions[:, :2] - match.estimate).T)))
            # What the descriptor alone would have taken it for.
            nearest = int(np.argmin(hamming_distances(encoder.encode(query)[None],
                                                      table.descriptors)[0]))
            off = float(np.hypot(*(table.positions[nearest, :2] - match.truth)))
            pictures = [query]
            for row in (place, nearest):
                jpeg = place_map.thumbnail(int(table.ids[row]))
                assert jpeg is not None  # build_map stores them by default
                pictures.append(decode_compressed(jpeg))
            rows.append((pictures, f'query; its match, {match.error:.2f} m off; by the descriptor '
                         f'of this frame alone, {off:.2f} m'))
    draw_matches(out / 'matches.png', rows)


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder is empty or holds nothing but what an earlier demo made."""
    return folder.is_dir() and all(
        entry.name in _MADE or entry.name.startswith('map.vpr') for entry in folder.iterdir())


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--level', default='map11', help='Freedoom level (default: %(default)s)')
    parser.add_argument('--out', type=Path, default=Path('demo_output'),
                        help='folder of what it makes; that of an earlier demo is replaced '
                        '(default: %(default)s)')
    parser.add_argument('--seed', type=int, default=1, help='of the second lap')
    parser.add_argument('--frames', type=int, default=0, help='of the second lap; 0 for all')
    parser.add_argument('--domain', type=int, default=random.randint(1, 100),
                        help='ROS domain (default: a random one)')
    parser.add_argument('--in-step', action='store_true',
                        help='the robot waits for the answer to each frame: slower or faster '
                        'than real time, but every frame counts')
    args = parser.parse_args()
    if args.out.exists() and not _is_ours(args.out):
        parser.error(f'--out {args.out} holds something else than a demo, which would be removed: '
                     'name another folder')
    try:
        level_name(args.level)
    except WorldError as error:
        parser.error(f'--level: {error}')
    began = time.monotonic()
    os.environ.update(environment(args.domain))
    encoder = PlaceEncoder()
    print(f'1/5 {args.level}: planning and driving the mapping lap, model {encoder.info.name}')
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    map_file = args.out / 'map.vpr'
    with DoomWorld(args.level) as world:
        plan = build_floor_plan(world.sectors(), world.start)
        path = plan_lap(plan)
        mapping = record_mapping_lap(world, drive(path, 1.0 / RATE), args.out / 'mapping_bag')
    print('2/5 building the map')
    subprocess.run([sys.executable, '-m', 'tetra_vpr_ros.nodes.build_map',
                    '--bag', str(args.out / 'mapping_bag'), '--map', str(map_file),
                    '--horizontal-fov', str(FIELD_OF_VIEW)], check=True)
    print('3/5 starting the localizer; 4/5 driving the second lap\n'
          f'    watch it in a browser: {live_view(map_file, os.environ)}')
    rng = np.random.default_rng(args.seed)
    poses = second_lap(plan, drive(path, 1.5 / RATE, start=float(rng.uniform(0.2, 0.8))), rng)
    if args.frames:
        poses = poses[:args.frames]
    listener = localize_second_lap(map_file, args.level, poses, args.out, args.in_step)
    print('5/5 comparing with the truth')
    report, matches = evaluate(listener, map_file, args.out)
    draw(report, matches, plan, mapping, poses, map_file, args.level, args.out,
         encoder)
    (args.out / 'report.json').write_text(json.dumps(report, indent=2) + '\n')
    print(f"\n{'':2}{'level':<22}{args.level}")
    for key, value in report.items():
        print(f'{"":2}{key:<22}{value}')
    page = map_report(map_file, args.out / 'map_report')
    print(f'\n{args.out}/report.json, trajectory.png and matches.png written '
          f'after {time.monotonic() - began:.0f} s')
    print(f'what the map knows, and what it would confuse: {page}\n'
          'the mapping lap, localized in its own map, in a browser: '
          f"{replay(args.out / 'mapping_bag', map_file)}")


if __name__ == '__main__':
    main()
