# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Build a place map from bags, offline."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys
from typing import Any

from tetra_vpr_ros.command_line import (
    at_least_zero, field_of_view, frame_name, INTERRUPTED, run_command, whole)
from tetra_vpr_ros.mapping import BagError, build_map, BuildOptions, MapError
from tetra_vpr_ros.mapping.sources.bag_arguments import add_bag_arguments, bag_options
from tetra_vpr_ros.vision import ModelError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='build_map', description=__doc__,
        epilog='Each option can also be a parameter of the node: '
        '--ros-args -p bag:=[run1] -p map:=home.vpr -p keyframe_distance:=1.0')
    add = parser.add_argument
    add('--bag', type=Path, nargs='+', required=True, metavar='PATH',
        help='bags, one traverse each: rosbag2 folder, .mcap, .db3 or ROS 1 .bag')
    add('--map', type=Path, required=True, metavar='OUT.vpr', help='map file to write')
    add_bag_arguments(parser)
    add('--model', type=Path, help='model file (.onnx), or the name of a shipped one')
    add('--keyframe-distance', type=at_least_zero, default=0.5, metavar='M',
        help='metres between places (default: %(default)s)')
    add('--keyframe-angle', type=at_least_zero, default=15.0, metavar='DEG',
        help='degrees between places (default: %(default)s)')
    add('--thumbnails', action=argparse.BooleanOptionalAction, default=True,
        help='store a small picture of each place (default: yes)')
    add('--features', action='store_true',
        help='store local features of each place, for geometric verification (about 16 kB each)')
    add('--tokens', action=argparse.BooleanOptionalAction, default=True,
        help='store the patch tokens of each place, for the second look (default: yes, 3 kB each)')
    add('--horizontal-fov', type=field_of_view, default=0.0, metavar='DEG',
        help="of the camera, degrees, instead of what the bag's camera_info tells")
    add('--frame-id', type=frame_name, metavar='FRAME',
        help="frame of the poses (default: the parent of --tf-frames, else 'map')")
    add('--resume', action='store_true', help='continue an interrupted build')
    add('--append', action='store_true', help='add traverses to an existing map')
    add('--threads', type=whole(), default=0,
        help='threads that encode a picture each (default: all cores)')
    add('--workers', type=whole(), default=0, metavar='N',
        help='processes that map a bag each (default: as many as there are bags and cores)')
    add('--ray', metavar='ADDRESS', help="map the bags on a Ray cluster; 'local' starts Ray here")
    return parser


def options_from_arguments(arguments: list[str]) -> BuildOptions:
    """
    Parse a command line.

    :raises SystemExit: an option is wrong; argparse has said which.
    """
    args = _parser().parse_args(arguments)
    return BuildOptions(
        bags=tuple(args.bag), output=args.map, model=args.model,
        keyframe_distance=args.keyframe_distance, keyframe_angle=args.keyframe_angle,
        thumbnails=args.thumbnails, features=args.features, tokens=args.tokens,
        horizontal_fov=args.horizontal_fov, frame_id=args.frame_id, resume=args.resume,
        append=args.append, threads=args.threads, workers=args.workers, ray=args.ray,
        **bag_options(args))


def arguments_from_parameters(values: dict[str, Any]) -> list[str]:
    """Turn node parameters into the command line that says the same."""
    arguments: list[str] = []
    for name, value in values.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            if value or name in ('thumbnails', 'tokens'):
                arguments.append(option if value else f'--no-{name}')
        else:
            several = value if isinstance(value, (list, tuple)) else [value]
            arguments += [option, *(str(item) for item in several)]
    return arguments


def _strip_ros_arguments(arguments: list[str]) -> list[str]:
    """Merge ``--ros-args`` parameters into the command line; only then is ROS needed."""
    if '--ros-args' not in arguments:
        return arguments
    import rclpy
    from rclpy.node import Node
    from rclpy.utilities import remove_ros_args
    rclpy.init(args=arguments)
    try:
        node = Node('build_map', allow_undeclared_parameters=True,
                    automatically_declare_parameters_from_overrides=True)
        known = {action.dest for action in _parser()._actions}
        values = {name: parameter.value
                  for name, parameter in node.get_parameters_by_prefix('').items()
                  if name in known}
        node.destroy_node()
    finally:
        rclpy.try_shutdown()
    return arguments_from_parameters(values) + remove_ros_args(arguments)


def main(args: list[str] | None = None) -> int:
    """
    Build a map from the command line.

    :returns: 0 when done, 1 on an error or when a bag could be read only in part, 130 when
        interrupted (continue with --resume).
    """
    arguments = _strip_ros_arguments(list(sys.argv[1:] if args is None else args))
    options = options_from_arguments(arguments)

    def work() -> int:
        report = build_map(options)
        print(report.summary(options.output))
        return INTERRUPTED if report.interrupted else int(report.failed)

    return run_command(work, (BagError, MapError, ModelError), 'build_map',
                       'build_map: interrupted before the first place')


if __name__ == '__main__':
    raise SystemExit(main())
