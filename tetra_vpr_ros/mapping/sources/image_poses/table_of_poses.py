# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables of poses whose first line names the columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.pose import level_quaternion
from tetra_vpr_ros.mapping.sources.image_poses.posed_images import Skipped
from tetra_vpr_ros.mapping.sources.image_poses.stamps import number, numbers_of
from tetra_vpr_ros.mapping.sources.image_poses.tables import Line, read_rows
from tetra_vpr_ros.mapping.sources.image_poses.trajectory import sound, Trajectory

_NAMES = ('name', 'image', 'file', 'filename', 'image_name', 'path')
_STAMPS = ('stamp', 'timestamp', 'time', 'stamp_ns', 'timestamp_ns', 't')
_COLUMNS = {axis: (axis, f't{axis}', f'p_{axis}', f'position_{axis}') for axis in 'xyz'} | {
    f'q{axis}': (f'q{axis}', f'q_{axis}', f'orientation_{axis}') for axis in 'xyzw'}


def read_table(path: Path) -> Trajectory:
    """
    Read a table with a header.

    It needs ``x`` and ``y`` (metres), ``qx qy qz qw``, or ``yaw`` (radians, counter-clockwise
    from x) or ``heading`` (degrees, clockwise from y, which is north), and ``name`` of the
    image or ``stamp``.

    :raises MapError: it is none, or has no such columns.
    """
    comments, lines = read_rows(path)
    if comments and lines and number(lines[0].words[0]) is not None:
        header = comments[-1].replace(',', ' ').split()
    elif lines:
        header, lines = list(lines[0].words), lines[1:]
    else:
        raise MapError(f'{path} is empty')
    names = [name.lower() for name in header]
    at = {key: _find(names, words) for key, words in _COLUMNS.items()}
    name, stamp = _find(names, _NAMES), _find(names, _STAMPS)
    turn = [key for key in ('yaw', 'heading') if key in names]
    whole = all(at[f'q{axis}'] is not None for axis in 'xyzw')
    if at['x'] is None or at['y'] is None or not (whole or turn) or name == stamp:
        raise MapError(
            f"{path} has the columns {', '.join(header)}: needed are name or stamp, x, y, and "
            'qx, qy, qz, qw, or yaw (radians), or heading (degrees clockwise from y)')
    skipped = Skipped()
    good = [len(line.words) == len(names) for line in lines]
    for line, fits in zip(lines, good):
        if not fits:
            skipped.add(f'lines have another number of columns than {len(names)}', line)

    def column(i: int | None) -> list[float]:
        return [0.0 if i is None else _value(line, i) if fits else np.nan
                for line, fits in zip(lines, good)]

    positions = np.array([column(at[axis]) for axis in 'xyz']).T.reshape(-1, 3)
    if whole:
        quaternions = np.array([column(at[f'q{axis}']) for axis in 'xyzw']).T.reshape(-1, 4)
    else:
        angles = np.array(column(names.index(turn[0])))
        angles[~np.isfinite(angles)] = np.nan
        quaternions = level_quaternion(
            angles if turn[0] == 'yaw' else np.radians(90.0 - angles))
    poses = sound(positions, quaternions, lambda i: str(lines[i]), skipped,
                  [not fits for fits in good])
    if all(pose is None for pose in poses):
        raise MapError(f"{path}: no line holds a pose: {'; '.join(skipped.lines())}")
    return Trajectory(
        path, None if stamp is None else numbers_of(
            [number(line.words[stamp]) if fits else None for line, fits in zip(lines, good)]),
        poses, skipped, None if name is None else [
            line.words[name] if fits else '' for line, fits in zip(lines, good)])


def _find(names: Sequence[str], words: Sequence[str]) -> int | None:
    return next((names.index(word) for word in words if word in names), None)


def _value(line: Line, at: int) -> float:
    try:
        return float(line.words[at])
    except ValueError:
        return np.nan
