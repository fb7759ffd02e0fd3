# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Look at, check and change map files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
import math
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.command_line import (
    at_least_zero, field_of_view, frame_name, INTERRUPTED, run_command)
from tetra_vpr_ros.mapping import BagError, BuildOptions, import_folder, MapError, PlaceMap, Pose
from tetra_vpr_ros.mapping.calibration import MapCalibration
from tetra_vpr_ros.mapping.pose import sound_poses
from tetra_vpr_ros.mapping.sources.bag_arguments import add_max_pose_gap
from tetra_vpr_ros.mapping.sources.image_folder import POSE_SOURCES
from tetra_vpr_ros.mapping.tools.export import export, FORMATS
from tetra_vpr_ros.mapping.tools.merge import merge
from tetra_vpr_ros.mapping.tools.prune import prune
from tetra_vpr_ros.mapping.tools.reencode import reencode
from tetra_vpr_ros.mapping.tools.verify import problems
from tetra_vpr_ros.viewing import map_report, ViewingError
from tetra_vpr_ros.vision import ModelError, PlaceEncoder


def describe(path: Path) -> str:
    """
    Return what a map holds, for a person.

    :raises MapError: it cannot be read.
    """
    with PlaceMap.open_file(path) as place_map:
        meta, table = place_map.meta(), place_map.places()
        lines = [f'{path}: {len(table)} places, {path.stat().st_size / 1e6:.2f} MB, frame '
                 f'{place_map.frame_id!r}, created {meta["created"]}',
                 f'model {meta["model_name"]} ({meta["model_fingerprint"][:12]}), '
                 f'{place_map.bits} bits']
        seen, size = place_map.tokens_size()
        lines.append(
            f'patch tokens of {seen} places, {size / 1e6:.2f} MB: the second look is possible'
            if seen else "no patch tokens, so no second look: 'vpr_map reencode' adds them")
        lines.append(f'mapping camera: {place_map.camera}' if place_map.camera else
                     'the field of view of the mapping camera is not known')
        if len(table):
            low, high = table.positions.min(axis=0), table.positions.max(axis=0)
            lines.append('bounds: ' + ', '.join(
                f'{axis} {a:.1f} … {b:.1f} m' for axis, a, b in zip('xyz', low, high)))
        for session in place_map.sessions():
            count = int((table.sessions == session.number).sum())
            lines.append(f'traverse {session.number}: {count} places of {session.source}'
                         + ('' if session.complete else ' (unfinished)'))
        try:
            lines.append(MapCalibration.stored(place_map).summary())
        except MapError as error:
            lines.append(str(error))
    return '\n'.join(lines)


def pose_from_numbers(numbers: Sequence[float]) -> Pose:
    """
    Return a pose from x, y, z in metres and a yaw in degrees.

    :raises MapError: they are no pose on this planet.
    """
    x, y, z, yaw = numbers
    pose = Pose(np.array([x, y, z]), Rotation.from_euler('z', math.radians(yaw)).as_quat())
    if not sound_poses(pose.position[None], pose.quaternion[None]).all():
        raise MapError(f'--transform {x:g} {y:g} {z:g} {yaw:g}: three lengths in metres and a yaw '
                       'in degrees are needed')
    return pose


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='vpr_map', description=__doc__)
    verbs = parser.add_subparsers(dest='verb', required=True)

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=text, description=text)

    for name, text in (('info', 'Tell what a map holds.'),
                       ('verify', 'Check a map; the exit status is 1 when something is wrong.')):
        verb(name, text).add_argument('map', type=Path)
    entry = verb('report', 'Write a page about a map: where one frame will do, what looks '
                 'alike, and what to do.')
    entry.add_argument('map', type=Path)
    entry.add_argument('--out', type=Path, required=True, metavar='DIR')
    entry = verb('export', 'Write the places in the format of other tools.')
    entry.add_argument('map', type=Path)
    entry.add_argument('--format', choices=FORMATS, required=True)
    entry.add_argument('--out', type=Path, required=True, metavar='PATH')
    entry = verb('merge', 'Join two maps of one model.')
    entry.add_argument('first', type=Path)
    entry.add_argument('second', type=Path)
    entry.add_argument('--out', type=Path, required=True, metavar='OUT.vpr')
    entry.add_argument('--transform', type=float, nargs=4, metavar=('X', 'Y', 'Z', 'YAW'),
                       help="pose of the second map's frame in the first's, metres and degrees")
    entry = verb('prune', 'Leave out places; the map is replaced unless --out names another.')
    entry.add_argument('map', type=Path)
    entry.add_argument('--out', type=Path, metavar='OUT.vpr')
    entry.add_argument('--spacing', type=at_least_zero, default=0.0, metavar='M',
                       help='metres between places that are kept')
    entry.add_argument('--angle', type=at_least_zero, default=15.0, metavar='DEG',
                       help='degrees between places that are kept (default: 15)')
    entry.add_argument('--redundant', type=at_least_zero, nargs=2, metavar=('M', 'BITS'),
                       help='leave out a place that near to an earlier one')
    _add_import_and_reencode(verb)
    return parser


def _add_import_and_reencode(verb: Callable[[str, str], argparse.ArgumentParser]) -> None:
    entry = verb('import', 'Build a map from a folder of images with poses.')
    entry.add_argument('folder', type=Path)
    entry.add_argument('--map', type=Path, required=True, metavar='OUT.vpr')
    entry.add_argument('--poses', default='utm', metavar='HOW',
                       help=f"{', '.join(POSE_SOURCES)} (default: utm); behind a trajectory's "
                       "file ':camera' or ':slam' says that it is a camera's, ':stamp', ':number' "
                       "or ':order' how to pair it")
    entry.add_argument('--model', type=Path,
                       help='model file (.onnx), or the name of a shipped one')
    entry.add_argument('--frame-id', type=frame_name, metavar='FRAME',
                       help='of the poses (default: map)')
    entry.add_argument('--keyframe-distance', type=at_least_zero, default=0.0, metavar='M',
                       help='metres between places (default: every image is a place)')
    add_max_pose_gap(entry)
    entry.add_argument('--thumbnails', action=argparse.BooleanOptionalAction, default=True)
    entry.add_argument('--features', action='store_true')
    _add_tokens(entry)
    entry.add_argument('--horizontal-fov', type=field_of_view, default=0.0, metavar='DEG',
                       help='of the camera, degrees')
    entry.add_argument('--resume', action='store_true', help='continue an interrupted import')
    entry.add_argument('--append', action='store_true', help='add to an existing map')
    entry = verb('reencode', 'Encode a map with another model; it is replaced unless --out '
                 'names another.')
    entry.add_argument('map', type=Path)
    entry.add_argument('--out', type=Path, metavar='OUT.vpr')
    entry.add_argument('--model', type=Path,
                       help='model file (.onnx), or the name of a shipped one')
    entry.add_argument('--from-bags', action='store_true',
                       help='read the pictures from the bags instead of the thumbnails')
    _add_tokens(entry)


def _add_tokens(entry: argparse.ArgumentParser) -> None:
    entry.add_argument('--tokens', action=argparse.BooleanOptionalAction, default=True,
                       help='store the patch tokens of each place, for the second look '
                       '(default: yes, where the model has them)')


def _import(options: argparse.Namespace) -> int:
    report = import_folder(options.folder, options.poses, BuildOptions(
        options.map, model=options.model, keyframe_distance=options.keyframe_distance,
        max_pose_gap=options.max_pose_gap, thumbnails=options.thumbnails,
        features=options.features, tokens=options.tokens, horizontal_fov=options.horizontal_fov,
        frame_id=options.frame_id, resume=options.resume, append=options.append))
    print(report.summary(options.map))
    return INTERRUPTED if report.interrupted else int(report.failed)


def _run(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    notes: list[str] = []
    if options.verb == 'info':
        print(describe(options.map))
    elif options.verb == 'verify':
        found = problems(options.map)
        print('\n'.join(found) if found else f'{options.map} is sound')
        return int(bool(found))
    elif options.verb == 'report':
        print(map_report(options.map, options.out))
    elif options.verb == 'export':
        with PlaceMap.open_file(options.map) as place_map:
            count = export(place_map, options.format, options.out)
        print(f'{options.out}: {count} places')
    elif options.verb == 'merge':
        transform = pose_from_numbers(options.transform) if options.transform else None
        count = merge(options.first, options.second, options.out, transform, notes=notes)
        print(f'{options.out}: {count} places')
    elif options.verb == 'import':
        return _import(options)
    elif options.verb == 'reencode':
        count = reencode(options.map, options.out or options.map,
                         PlaceEncoder(options.model, threads=0), options.from_bags,
                         options.tokens, notes=notes)
        print(f'{options.out or options.map}: {count} places')
    else:
        if not options.spacing and options.redundant is None:
            parser.error('prune needs --spacing or --redundant')
        redundant = options.redundant and (options.redundant[0], int(options.redundant[1]))
        kept, before = prune(options.map, options.out or options.map, options.spacing,
                             options.angle, redundant, notes=notes)
        print(f'{options.out or options.map}: {kept} of {before} places kept')
    for note in notes:
        print(note)
    return 0


def main(args: Sequence[str] | None = None) -> int:
    """
    Run from the command line.

    :returns: 0 when done, 1 on an error, 130 when interrupted: the maps are as they were.
    """
    parser = _parser()
    options = parser.parse_args(None if args is None else list(args))
    return run_command(
        lambda: _run(options, parser), (BagError, MapError, ModelError, ViewingError),
        'vpr_map', 'vpr_map: interrupted, the maps are as they were')


if __name__ == '__main__':
    raise SystemExit(main())
