# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables of poses whose first line names the columns."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
import math
from pathlib import Path
import re

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.pose import level_quaternion
from tetra_vpr_ros.mapping.sources.image_poses.posed_images import Skipped
from tetra_vpr_ros.mapping.sources.image_poses.stamps import number, numbers_of
from tetra_vpr_ros.mapping.sources.image_poses.tables import Line, read_rows
from tetra_vpr_ros.mapping.sources.image_poses.trajectory import sound, Trajectory

_NAMES = ('name', 'image', 'file', 'filename', 'image_name', 'path')
_STAMPS = ('stamp', 'timestamp', 'time', 'stamp_ns', 'timestamp_ns', 't', 'header.stamp',
           '__time')
_SECONDS = ('sec', 'secs', 'stamp.sec', 'stamp.secs')  # of a ROS time
_NANOSECONDS = ('nanosec', 'nsecs', 'stamp.nanosec', 'stamp.nsecs')
_EARTH = {'x': ('east', 'easting', 'utm_east'), 'y': ('north', 'northing', 'utm_north'),
          'z': ('up', 'height', 'alt', 'altitude')}
_COLUMNS = {axis: (axis, f't{axis}', f'p_{axis}', f'position_{axis}', *_EARTH[axis],
                   f'position.{axis}') for axis in 'xyz'} | {
    f'q{axis}': (f'q{axis}', f'q_{axis}', f'orientation_{axis}', f'orientation.{axis}')
    for axis in 'xyzw'}
_YAWS = {'yaw': 1.0, 'yaw_rad': 1.0, 'yaw_deg': math.radians(1.0)}  # radians of each
_HEADINGS = ('heading', 'heading_deg')


def read_table(path: Path) -> Trajectory:
    """
    Read a table with a header.

    It needs ``x`` and ``y``, or ``east`` and ``north`` (metres); ``qx qy qz qw``, ``yaw``
    (radians, counter-clockwise from x), ``yaw_deg`` or ``heading`` (degrees, clockwise from y,
    which is north); and ``name`` of the image, with or without its ending, or ``stamp``, or
    ``sec`` and ``nanosec``.
    Fields of messages are known by how they end: ``pose.pose.position.x``,
    ``/odom/pose/pose/orientation/z``, ``header.stamp.sec``.

    :raises MapError: it is none, or has no such columns.
    """
    comments, lines = read_rows(path)
    if comments and lines and number(lines[0].words[0]) is not None:
        header = re.split(r'\s*[,;]\s*', comments[-1]) if lines[0].commas else (
            comments[-1].split())
    elif lines:
        header, lines = list(lines[0].words), lines[1:]
    else:
        raise MapError(f'{path} is empty')
    names = [_plain(name) for name in header]
    at = {key: _find(names, words) for key, words in _COLUMNS.items()}
    name, stamp = _find(names, _NAMES), _find(names, _STAMPS)
    parts = _find(names, _SECONDS), _find(names, _NANOSECONDS)
    timed = stamp is not None or None not in parts
    turn = next((key for key in (*_YAWS, *_HEADINGS) if key in names), None)
    whole = all(at[f'q{axis}'] is not None for axis in 'xyzw')
    if at['x'] is None or at['y'] is None or not (whole or turn) or (
            name is None and not timed):
        raise MapError(
            f"{path} has the columns {', '.join(header)}: needed are name or stamp (or sec and "
            'nanosec), x, y, and qx, qy, qz, qw, or yaw (radians) or yaw_deg, or heading (degrees '
            'clockwise from y)')
    skipped = Skipped()
    good = [len(line.words) == len(names) for line in lines]
    for line, fits in zip(lines, good):
        if not fits:
            skipped.add(f'lines have another number of columns than {len(names)}', line)

    def column(i: int | None) -> list[float]:
        return [0.0 if i is None else _value(line, i) if fits else np.nan
                for line, fits in zip(lines, good)]

    positions = np.array([column(at[axis]) for axis in 'xyz']).T.reshape(-1, 3)
    if turn is None or whole:
        quaternions = np.array([column(at[f'q{axis}']) for axis in 'xyzw']).T.reshape(-1, 4)
    else:
        quaternions = level_quaternion(_yaws(path, turn, np.array(column(names.index(turn)))))
    poses = sound(positions, quaternions, lambda i: str(lines[i]), skipped,
                  [not fits for fits in good])
    if all(pose is None for pose in poses):
        raise MapError(f"{path}: no line holds a pose: {'; '.join(skipped.lines())}")
    times = [_time(line, stamp, *parts) if fits else None for line, fits in zip(lines, good)]
    return Trajectory(path, numbers_of(times) if timed else None, poses, skipped,
                      None if name is None else [line.words[name] if fits else ''
                                                 for line, fits in zip(lines, good)])


def _plain(name: str) -> str:
    """Return a plain name: ``X [m]`` is x, ``Yaw [deg]`` yaw_deg, ``/odom/pose`` odom.pose."""
    unit = re.sub(r'\s*\[\s*(.*?)\s*\]', r'_\1', name.strip().lower())
    unit = unit.strip('/').replace('/', '.')
    return re.sub(r'_m?$', '', unit)


def _yaws(path: Path, column: str, angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return radians, counter-clockwise from x; NaN where there are none."""
    angles = np.where(np.isfinite(angles), angles, np.nan)
    if column in _HEADINGS:
        return np.asarray(np.radians(90.0 - angles))
    yaws = np.asarray(angles * _YAWS[column])
    if (np.abs(yaws) > 4 * math.pi).any() and column == 'yaw':
        raise MapError(f'{path}: its yaw reaches {np.nanmax(np.abs(angles)):g}, which are no '
                       'radians: call the column yaw_deg, or yaw_rad where they are')
    return yaws


def _find(names: Sequence[str], words: Sequence[str]) -> int | None:
    """Return which column has one of these names, or is the one field that ends so."""
    for word in words:
        if word in names:
            return names.index(word)
        ending = [i for i, name in enumerate(names) if '.' in word and name.endswith(f'.{word}')]
        if len(ending) == 1:
            return ending[0]
    return None


def _time(line: Line, stamp: int | None, seconds: int | None, nanoseconds: int | None
          ) -> Decimal | None:
    """Return what is in the column of stamps, or the seconds of two columns."""
    if seconds is None or nanoseconds is None:
        return None if stamp is None else number(line.words[stamp])
    whole, rest = number(line.words[seconds]), number(line.words[nanoseconds])
    return None if whole is None or rest is None else whole + rest * Decimal('1e-9')


def _value(line: Line, at: int) -> float:
    try:
        return float(line.words[at])
    except ValueError:
        return np.nan
