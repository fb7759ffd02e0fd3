# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Trajectories as TUM, KITTI and EuRoC write them, and as tables with a header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.pose import FARTHEST, Pose
from tetra_vpr_ros.mapping.sources.image_poses.posed_images import OPTICAL, Skipped
from tetra_vpr_ros.mapping.sources.image_poses.stamps import (
    number, Numbers, numbers_of, unit_since_1970)
from tetra_vpr_ros.mapping.sources.image_poses.tables import Line, read_rows

_SQUARE = 0.05  # by which a rotation may differ from one, as it was written


@dataclass(frozen=True)
class Trajectory:
    """
    Poses in the order of a file, one for each of its lines.

    :ivar path: of the file.
    :ivar stamps: of each line; none where the format has none.
    :ivar poses: of each line; None where it holds no pose that can be used.
    :ivar skipped: why not.
    :ivar images: the image's name in each line, where the file has them.
    """

    path: Path
    stamps: Numbers | None
    poses: Sequence[Pose | None]
    skipped: Skipped
    images: Sequence[str] | None = None

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.poses)


def read_tum(path: Path) -> Trajectory:
    """
    Read ``stamp x y z qx qy qz qw`` lines.

    :raises MapError: the file is none.
    """
    comments, lines = read_rows(path)
    if _scalar_last(comments, lines) is False or _like_euroc(lines):
        raise MapError(f'{path} is no TUM trajectory, but looks like one of EuRoC, whose '
                       f'quaternions begin with w: use --poses euroc:{path}, or part its numbers '
                       'by blanks where they do not')
    rows, skipped = _numeric(path, lines, 8, 'TUM', 'stamp x y z qx qy qz qw')
    return _trajectory(path, rows, skipped, rows.values[:, 1:4], rows.values[:, 4:8])


def _scalar_last(comments: Sequence[str], lines: Sequence[Line]) -> bool | None:
    """Tell whether the names of the columns put w behind x, y and z; None without names."""
    header = list(lines[0].words) if _is_header(lines) else []
    names = [word.strip('[]').lower()
             for word in (*' '.join(comments).replace(',', ' ').split(), *header)]
    w, x = (next((i for i, name in enumerate(names) if name in words), -1)
            for words in (('qw', 'q_w', 'q_rs_w'), ('qx', 'q_x', 'q_rs_x')))
    return None if -1 in (w, x) else w > x


def _is_header(lines: Sequence[Line]) -> bool:
    """Tell whether the first line holds names of columns and not numbers."""
    return len(lines) > 1 and all(number(word) is None for word in lines[0].words)


def _like_euroc(lines: Sequence[Line]) -> bool:
    """Tell whether lines are nanoseconds and more, parted by commas."""
    stamp = number(lines[-1].words[0]) if lines else None
    return stamp is not None and unit_since_1970(stamp) == 'ns' and lines[-1].commas


def read_euroc(path: Path) -> Trajectory:
    """
    Read EuRoC's ``data.csv``: nanoseconds, position, quaternion with w first, and more.

    :param path: of the file or its folder.
    :raises MapError: the file is none, or its header names another order.
    """
    path = path / 'data.csv' if path.is_dir() else path
    comments, lines = read_rows(path)
    if _scalar_last(comments, lines):
        raise MapError(f'{path} is no EuRoC trajectory, its header puts w last: use --poses '
                       f'csv:{path}, which goes by the header')
    stamp = number(lines[-1].words[0]) if lines else None
    if stamp is not None and not lines[-1].commas and unit_since_1970(stamp) == 's':
        raise MapError(f'{path} is no EuRoC trajectory, but looks like one of TUM, whose '
                       f'quaternions end with w: use --poses tum:{path}')
    rows, skipped = _numeric(path, lines, 8, 'EuRoC', 'stamp x y z qw qx qy qz', more=True)
    return _trajectory(path, rows, skipped, rows.values[:, 1:4], rows.values[:, [5, 6, 7, 4]])


def read_kitti(path: Path) -> Trajectory:
    """
    Read 3x4 matrices of a camera in the frame of the first, and turn both to x forward.

    :raises MapError: the file is none.
    """
    _, lines = read_rows(path)
    rows, skipped = _numeric(path, lines, 12, 'KITTI', 'a 3x4 matrix')
    matrices = rows.values.reshape(-1, 3, 4)
    turns = matrices[:, :, :3]
    with np.errstate(all='ignore'):
        square = turns @ turns.transpose(0, 2, 1) - np.eye(3)
        good = np.asarray((np.abs(square) < _SQUARE).all((1, 2)) & (np.linalg.det(turns) > 0))
    turns = np.where(good[:, None, None], turns, np.eye(3))
    quaternions = Rotation.from_matrix(OPTICAL.T @ turns @ OPTICAL).as_quat()
    quaternions[~good] = 0.0
    with np.errstate(all='ignore'):
        positions = matrices[:, :, 3] @ OPTICAL
    return _trajectory(path, rows, skipped, positions, quaternions, stamped=False)


@dataclass(frozen=True)
class _Rows:
    lines: Sequence[Line]
    values: NDArray[np.float64]  # NaN where a line is none
    malformed: Sequence[bool]


def _numeric(path: Path, lines: list[Line], columns: int, form: str, needed: str,
             more: bool = False) -> tuple[_Rows, Skipped]:
    """Turn lines to numbers; what is no such line keeps its place, for the count."""
    if _is_header(lines):
        lines = lines[1:]  # the names of the columns
    values = np.full((len(lines), columns), np.nan)
    malformed = []
    skipped = Skipped()
    for row, line in zip(values, lines):
        fits = len(line.words) == columns or (more and len(line.words) > columns)
        try:
            row[:] = [float(word) for word in line.words[:columns]] if fits else np.nan
        except ValueError:
            fits = False
        malformed.append(not fits)
        if not fits:
            skipped.add(f'lines are no {form} pose ({needed})', line)
    if not lines or all(malformed):
        told = f", not {' '.join(lines[0].words)!r}" if lines else ': it is empty'
        raise MapError(f'{path} is no {form} trajectory: {columns} numbers a line are needed '
                       f'({needed}){told}')
    return _Rows(lines, values, malformed), skipped


def _trajectory(path: Path, rows: _Rows, skipped: Skipped, positions: NDArray[np.float64],
                quaternions: NDArray[np.float64], stamped: bool = True) -> Trajectory:
    stamps = (numbers_of([None if bad else number(line.words[0])
                          for line, bad in zip(rows.lines, rows.malformed)]) if stamped else None)
    poses = sound(positions, quaternions, lambda i: str(rows.lines[i]), skipped, rows.malformed)
    if all(pose is None for pose in poses):
        raise MapError(f"{path}: no line holds a pose: {'; '.join(skipped.lines())}")
    return Trajectory(path, stamps, poses, skipped)


def sound(positions: NDArray[np.float64], quaternions: NDArray[np.float64],
          case: Callable[[int], str], skipped: Skipped, told: Sequence[bool]
          ) -> list[Pose | None]:
    """
    Return poses; None, and counted, where numbers make none.

    :param positions: ``[n, 3]``.
    :param quaternions: ``[n, 4]`` of any length but zero.
    :param case: says which a pose is.
    :param skipped: counts.
    :param told: which are known to be none, and are counted already.
    """
    with np.errstate(all='ignore'):
        norms = np.asarray(np.linalg.norm(quaternions, axis=1))
        on_earth = np.asarray((np.abs(positions) <= FARTHEST).all(1))  # NaN is not
    poses: list[Pose | None] = []
    for i, norm in enumerate(norms):
        turned = bool(np.isfinite(norm) and norm > 1e-6)
        if on_earth[i] and turned:
            poses.append(Pose(positions[i].copy(), quaternions[i] / norm))
            continue
        poses.append(None)
        if not told[i]:
            skipped.add('poses have a zero quaternion or a matrix that is no rotation, as of a '
                        'lost odometry' if on_earth[i] else
                        'poses are not finite, or not on Earth', case(i))
    return poses
