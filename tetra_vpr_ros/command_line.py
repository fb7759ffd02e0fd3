# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How a command ends: done, on an error, or told to stop; what numbers and cores it may have."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from io import TextIOWrapper
import os
from pathlib import Path
import signal
import sys

FAILED, INTERRUPTED = 1, 130  # the exit status; 130 as shells have it for SIGINT
MOST = 1_000_000
"""Metres or degrees between places: more is infinity to whoever asks for it."""


def usable_cores() -> int:
    """Return how many cores this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0))


def field_of_view(text: str) -> float:
    """
    Return an angle of the command line, degrees.

    :raises argparse.ArgumentTypeError: no camera without distortion has that field of view.
    """
    try:
        degrees = float(text)
    except ValueError:
        degrees = 0.0
    if not 1.0 < degrees < 180.0:
        raise argparse.ArgumentTypeError(f'it must lie between 1 and 180 degrees, not {text}')
    return degrees


def frame_name(text: str) -> str:
    """
    Return the name of a frame of the command line.

    :raises argparse.ArgumentTypeError: tf2 knows no such name.
    """
    if not text.strip() or text.startswith('/'):
        raise argparse.ArgumentTypeError(
            f"a frame has a name, and tf2 refuses a leading '/', not {text!r}")
    return text


def at_least_zero(text: str) -> float:
    """
    Return a distance or an angle of the command line.

    :raises argparse.ArgumentTypeError: it is negative, not finite or beyond a million.
    """
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= MOST:
        raise argparse.ArgumentTypeError(f'it must lie between 0 and {MOST}, not {text}')
    return number


def whole(least: int = 0, most: int | None = None) -> Callable[[str], int]:
    """
    Return what reads a whole number of the command line, an argument's ``type``.

    :param least: the smallest that is taken, at least 0.
    :param most: the largest; None for no matter how large.
    """
    asked = f'of at least {least}' if most is None else f'from {least} to {most}'

    def read(text: str) -> int:
        number = int(text) if text.isdecimal() else -1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f'it must be a whole number {asked}, not {text!r}')
        return number

    return read


def make_folders(*files: Path | None) -> None:
    """
    Make the folders of files that will be written: hours later would be too late to fail.

    :param files: None for one that is not wanted.
    :raises OSError: a folder cannot be made, or a file is one.
    """
    for file in files:
        if file is not None:
            if file.is_dir():
                raise IsADirectoryError(f'{file} is a folder: name a file')
            file.parent.mkdir(parents=True, exist_ok=True)


def _interrupt(_signum: int, _frame: object) -> None:
    raise KeyboardInterrupt


def interrupt_on_signals() -> None:
    """Turn SIGTERM, by which launch and systemd stop a process, and SIGINT into Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)


def run_command(work: Callable[[], int], errors: tuple[type[Exception], ...], prefix: str,
                interrupted: str) -> int:
    """
    Do a command's work; what it knows to go wrong is one line on stderr, not a traceback.

    :param work: returns the exit status.
    :param errors: whose texts are for the user, as those of the system are.
    :param prefix: of such a line.
    :param interrupted: the line when the command is told to stop.
    :returns: the exit status.
    """
    interrupt_on_signals()
    told: tuple[type[Exception], ...] = (*errors, OSError)
    for stream in (sys.stdout, sys.stderr):  # files whose names are no text are told all the same
        if isinstance(stream, TextIOWrapper) and stream.errors == 'strict':
            stream.reconfigure(errors='backslashreplace')
    try:
        status = work()
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # of 'vpr_map info MAP | head -1': who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the end fails, too
        return FAILED
    except told as error:
        print(f'{prefix}: {error}', file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
