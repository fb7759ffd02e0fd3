# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Run the localizer: the lifecycle node as a process."""

from __future__ import annotations

# No library is imported here: they take a second, in which Ctrl-C must end the
# process without a traceback, too.
import argparse
import os
import signal
import sys
from typing import Any

from tetra_vpr_ros.nodes.rcl_errors import first_cause

_FAILED = 1
_EXAMPLES = """\
examples:
  ros2 launch tetra_vpr_ros localize.launch.py map:=home.vpr image_topic:=/camera/image_raw
  ros2 run tetra_vpr_ros localize --ros-args -p map:=home.vpr -p autostart:=true \\
      -r image:=/camera/image_raw
  ros2 run tetra_vpr_ros localize --ros-args --params-file vpr.yaml -r __ns:=/robot1

Without autostart it is brought up by a lifecycle manager, or by hand:
  ros2 lifecycle set /vpr_localize configure
  ros2 lifecycle set /vpr_localize activate

Parameters: 'ros2 param describe /vpr_localize NAME', config/localize.yaml or
docs/reference.md.
"""


def _on_signals(handler: Any) -> None:
    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, handler)


def main(args: list[str] | None = None) -> int:
    """
    Run the node until it is told to stop.

    :param args: of the command line; None for the process's own.
    :returns: the exit status: 0 when it was told to stop, 1 when it cannot run.
    """
    command = sys.argv if args is None else ['localize', *args]
    told: list[int] = []
    _on_signals(lambda number, _frame: told.append(number))  # an exception would break imports
    _keep_cores_free()
    import rclpy
    from rclpy.signals import SignalHandlerOptions
    from rclpy.utilities import remove_ros_args
    try:
        _parser().parse_args(remove_ros_args(command)[1:])
        # A signal that arrives just before rclpy begins to wait may not wake it: its own
        # handlers left a terminated node waiting for ever. Python's are looked at after each
        # wait below.
        rclpy.init(args=command, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # rclpy has classes of its own for what it cannot read
        print(f'localize: {first_cause(error)}', file=sys.stderr)
        return _FAILED
    report = sys.unraisablehook
    try:
        import tetra_vpr_ros.nodes.localizer.node  # noqa: F401  # what takes most of the time

        def interrupt_once(number: int, _frame: object) -> None:
            told.append(number)
            # A second one, as launch sends it, disturbs no end.
            _on_signals(signal.SIG_IGN)
            raise KeyboardInterrupt

        def unless_told(raised: Any) -> None:
            # In an object's finaliser it ends nothing, and is no error either: `told` knows.
            if not (told and raised.exc_type is KeyboardInterrupt):
                report(raised)

        sys.unraisablehook = unless_told
        _on_signals(interrupt_once)
        if told:
            return 0
        return _live(command, told)
    except KeyboardInterrupt:
        return 0
    finally:
        rclpy.try_shutdown()
        sys.unraisablehook = report


def _keep_cores_free() -> None:
    """
    Let numpy's products run on one thread, unless the user's environment says otherwise.

    OpenBLAS's threads spin after each product until the next frame's, a whole core at 10 Hz, to
    save a fraction of a millisecond. It reads this when numpy is imported, not later.
    """
    if not {'OMP_NUM_THREADS', 'GOTO_NUM_THREADS'} & set(os.environ):  # it heeds these, too
        for library in ('OPENBLAS', 'MKL'):
            os.environ.setdefault(f'{library}_NUM_THREADS', '1')


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        'localize', usage='localize [--help] [--ros-args -p PARAMETER:=VALUE ... '
        '--params-file FILE -r OLD:=NEW ...]', epilog=_EXAMPLES,
        description='Publish where the camera is in a map of places, on /vpr/match.',
        formatter_class=argparse.RawDescriptionHelpFormatter)


def _live(command: list[str], told: list[int]) -> int:
    """
    Make the node and let it work.

    :param command: of the process.
    :param told: signals to stop. Each raises, too, but where an object is being finalised Python
        forgets an exception and goes on.
    :returns: the exit status.
    """
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.lifecycle import TransitionCallbackReturn
    from tetra_vpr_ros.nodes.localizer.node import LocalizeNode
    from tetra_vpr_ros.nodes.localizer.parameters import ParameterError
    from tetra_vpr_ros.nodes.localizer.parameters.files import unheard
    try:
        node = LocalizeNode()
    except ParameterError:  # told
        return _FAILED
    except Exception as error:  # a name that no node may have
        print(f'localize: {first_cause(error)}', file=sys.stderr)
        return _FAILED
    for text in unheard(command, node.get_fully_qualified_name()):
        node.get_logger().warning(text)
    success = TransitionCallbackReturn.SUCCESS
    try:
        if node.get_parameter('autostart').value:
            up = node.trigger_configure() == success and node.trigger_activate() == success
            if not up and node.get_parameter('autostart_failure').value == 'exit':
                return _FAILED
        else:
            node.get_logger().info('autostart is false: waiting to be configured, by a lifecycle '
                                   "manager or 'ros2 lifecycle set'")
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while rclpy.ok() and not told:
            executor.spin_once(timeout_sec=0.5)
    except ExternalShutdownException:
        pass
    finally:
        node.close()
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
