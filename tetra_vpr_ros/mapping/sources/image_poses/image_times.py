# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Times of images that are named by mere counters, from the lists that lie beside them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
import re

from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.sources.image_poses.stamps import number, Numbers, numbers_of
from tetra_vpr_ros.mapping.sources.image_poses.tables import Line, read_rows

# Of KITTI odometry, KITTI raw, TUM RGB-D and EuRoC.
_LISTS = ('times.txt', 'timestamps.txt', 'rgb.txt', 'data.csv')


def listed_times(folder: Path, files: Sequence[Path], trajectory: Path
                 ) -> tuple[Numbers, Path] | None:
    """
    Read the list of times beside images: a time for each, in order, or a time and a name.

    :param folder: of the images; the list lies in it or beside it.
    :param files: images.
    :param trajectory: of the poses, which is no such list.
    :returns: times of the images and the list; None where there is none that fits.
    """
    for place in (folder, folder.resolve().parent):
        for name in _LISTS:
            path = place / name
            if path.is_file() and path.resolve() != trajectory.resolve():
                times = _times(path, files)
                if times is not None:
                    return times, path
    return None


def _times(path: Path, files: Sequence[Path]) -> Numbers | None:
    try:
        _, lines = read_rows(path)
    except MapError:
        return None
    if lines and all(len(line.words) == 1 or _dated(line) for line in lines):
        if len(lines) != len(files):
            return None
        times = [_time(line) for line in lines]
    else:
        by_name = {Path(line.words[1]).name: number(line.words[0])
                   for line in lines if len(line.words) == 2}
        times = [by_name.get(file.name) for file in files]
    if sum(time is not None for time in times) < len(files) / 2:
        return None
    found = numbers_of(times)
    return Numbers(found.values, found.unit or 's')


def _dated(line: Line) -> bool:
    return len(line.words) == 2 and re.fullmatch(r'\d{4}-\d\d-\d\d', line.words[0]) is not None


def _time(line: Line) -> Decimal | None:
    """Return seconds; KITTI raw has dates with nanoseconds, in no time zone."""
    if not _dated(line):
        return number(line.words[0])
    clock, _, fraction = line.words[1].partition('.')
    try:
        at = datetime.fromisoformat(f'{line.words[0]} {clock}').replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return Decimal(int(at.timestamp())) + Decimal(f'0.{fraction or 0}')
