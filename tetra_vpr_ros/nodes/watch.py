# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Show in a browser what the localizer sees and believes, live or of a recorded drive."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
import sys
import time
from typing import TYPE_CHECKING

from tetra_vpr_ros.command_line import run_command, whole
from tetra_vpr_ros.localization import FILTERS
from tetra_vpr_ros.mapping import BagError, MapError, PlaceMap
from tetra_vpr_ros.mapping.sources.bag_traverse import HEADER, IMAGE_TIMES
from tetra_vpr_ros.nodes.rcl_errors import first_cause
from tetra_vpr_ros.viewing.frame.plotly_bundle import ViewingError
from tetra_vpr_ros.viewing.live.state import LiveState
from tetra_vpr_ros.vision import ModelError

if TYPE_CHECKING:
    from tetra_vpr_ros.viewing.live.server import LiveServer

_EXAMPLES = """\
examples:
  ros2 run tetra_vpr_ros watch                                    a localizer that runs
  ros2 run tetra_vpr_ros watch --ros-args -r __ns:=/robot1        … of a robot in a namespace
  watch --bag evening_drive --map home.vpr                        a recorded drive, without ROS
  watch --host 0.0.0.0                                            for other machines, too

The page is for this machine alone unless --host names another address; from elsewhere, a
tunnel keeps it so: ssh -L 8765:localhost:8765 robot
"""


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0.0 <= rate <= 1000.0:
        raise argparse.ArgumentTypeError(f'it must be a number from 0 to 1000, not {text!r}')
    return rate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        'watch', description=__doc__, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--map', type=Path, metavar='FILE.vpr',
        help="map for the plan (default: the places that the localizer's markers show)")
    add('--host', default='127.0.0.1', metavar='ADDRESS',
        help='to listen to; whoever reaches it sees the camera (default: %(default)s, this '
        'machine alone)')
    add('--port', type=whole(0, 65535), default=8765,
        help='0 takes any free one (default: %(default)s)')
    drive = parser.add_argument_group('a recorded drive, without ROS')
    add = drive.add_argument
    add('--bag', type=Path, metavar='BAG', help='localize its images in --map; no poses needed')
    add('--rate', type=_rate, metavar='X', default=1.0,
        help='times as fast as recorded; 0: as fast as it goes (default: 1)')
    add('--image-topic', help='camera topic; found by type when there is just one')
    add('--image-time', choices=IMAGE_TIMES, default=HEADER,
        help='time of an image (default: %(default)s)')
    add('--model', type=Path, metavar='FILE.onnx', help='of the map, if not the default one')
    add('--filter', choices=FILTERS, default='bayes', help='localizer (default: %(default)s)')
    return parser


def _without_ros_arguments(given: Sequence[str]) -> list[str]:
    """Leave out what is ROS 2's: from ``--ros-args`` to ``--``, or to the end."""
    ours, of_ros = [], False
    for argument in given:
        if argument == '--ros-args':
            of_ros = True
        elif of_ros:
            of_ros = argument != '--'
        else:
            ours.append(argument)
    return ours


def _serve(state: LiveState, options: argparse.Namespace) -> LiveServer:
    """
    Return the server, which has its port.

    :raises ViewingError: the port is taken, or something is not installed.
    """
    try:
        from tetra_vpr_ros.viewing.live.server import LiveServer
    except ImportError as error:
        raise ViewingError(
            f"the live view is served by aiohttp, which is not installed ({error}): 'sudo apt "
            "install python3-aiohttp', or pip install 'tetra_vpr_ros[viewing]'") from error
    return LiveServer(state, options.host, options.port)


def _tell_where(server: LiveServer) -> None:
    print(f'the live view is at {server.url} (Ctrl-C ends it)', flush=True)
    if server.open_to_others:
        print('whoever reaches that address sees what the camera sees', flush=True)


def _drive(options: argparse.Namespace) -> int:
    """Localize a bag, and show its end until told to stop."""
    from tetra_vpr_ros.viewing.live.drive import Drive, DriveOptions
    state = LiveState()
    with closing(Drive(DriveOptions(
            options.bag, options.map, options.model, options.filter, options.image_topic,
            options.image_time, options.rate))) as drive, _serve(state, options) as server:
        _tell_where(server)
        done = drive.follow(state)
        print(f'{options.bag}: {done} frames localized; the view stays until Ctrl-C', flush=True)
        while True:
            time.sleep(1.0)


def _listen(options: argparse.Namespace, command: list[str]) -> int:
    """Show what a running localizer says until told to stop."""
    try:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions
        from tetra_vpr_ros.nodes.live_topics import LiveTopics
    except ImportError as error:
        raise ViewingError(f'ROS 2 is not here ({error}): source its setup file, or watch a '
                           'recorded drive with --bag and --map') from error
    state = LiveState()
    if options.map:
        from tetra_vpr_ros.viewing.live.plan import plan_of_map
        with PlaceMap.open_file(options.map) as place_map:
            state.lay_out(plan_of_map(place_map))
    with _serve(state, options) as server:
        # Python's handlers are looked at after each wait below, see `localize`.
        try:
            try:
                rclpy.init(args=command, signal_handler_options=SignalHandlerOptions.NO)
                node = LiveTopics(state, with_plan=options.map is None)
            except Exception as error:  # rclpy has classes of its own for what it cannot read
                raise ViewingError(first_cause(error)) from error
            _tell_where(server)
            executor = SingleThreadedExecutor()
            executor.add_node(node)
            while rclpy.ok():
                executor.spin_once(timeout_sec=0.5)
        finally:
            rclpy.try_shutdown()
    return 0


def main(args: list[str] | None = None) -> int:
    """
    Show the live view until told to stop.

    :param args: of the command line; None for the process's own.
    :returns: the exit status: 0 when it was told to stop, 1 when it cannot run.
    """
    given = list(sys.argv[1:] if args is None else args)
    parser = _parser()
    options = parser.parse_args(_without_ros_arguments(given))
    if options.bag and not options.map:
        parser.error('--bag needs --map: where shall it be localized?')
    for name in ('rate', 'image_topic', 'image_time', 'model', 'filter'):
        if not options.bag and getattr(options, name) != parser.get_default(name):
            option = name.replace('_', '-')
            parser.error(f'--{option} is for a recorded drive: name it with --bag. A localizer '
                         'that runs has it in its own parameters')

    def work() -> int:
        try:
            return _drive(options) if options.bag else _listen(options, ['watch', *given])
        except KeyboardInterrupt:
            return 0

    return run_command(work, (BagError, MapError, ModelError, ViewingError), 'watch',
                       'watch: stopped before it began')


if __name__ == '__main__':
    raise SystemExit(main())
