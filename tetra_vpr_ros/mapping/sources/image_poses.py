# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses of images, in the ways in which other tools write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.pose import level_quaternion, Pose
from tetra_vpr_ros.mapping.sources.gps import track_from_fixes
from tetra_vpr_ros.mapping.sources.pose_track import Origin, PoseTrack

_SECOND = 1_000_000_000
_MAX_GAP = _SECOND // 2
# A camera's axes (x right, y down, z forward) in those of a robot (x forward, y left, z up).
_OPTICAL = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])

Located = list[tuple[int, Pose | None]]
"""Stamp in nanoseconds and pose of each image, in the order of the images."""


def poses_of_names(files: Sequence[Path]) -> Located:
    """
    Read ``@utm_east@utm_north@…`` names, as VPR-methods-evaluation has them.

    :raises MapError: a name is none.
    """
    east_north, headings, geodetic, stamps, heights = [], [], [], [], []
    for path in files:
        parts = path.name.split('@')
        try:
            east_north.append((float(parts[1]), float(parts[2])))
        except (IndexError, ValueError) as error:
            raise MapError(f'{path}: the name holds no @utm_east@utm_north@; say with --poses '
                           'where the poses are') from error
        headings.append(_number(parts, 9))
        geodetic.append((_number(parts, 5), _number(parts, 6)))
        heights.append(_number(parts, 12) or 0.0)
        stamp = _number(parts, 13)
        # Ours are nanoseconds; others write years and months, which do not tell images apart.
        stamps.append(int(parts[13]) if stamp is not None and stamp > 1e15 else None)
    way = _headings_of_way(np.array(east_north))
    located: Located = []
    for i, (east, north) in enumerate(east_north):
        heading, (lat, lon), stamp_ns = headings[i], geodetic[i], stamps[i]
        yaw = float(way[i]) if heading is None else math.radians(90.0 - heading)
        known = (lat, lon, heights[i]) if lat is not None and lon is not None else None
        located.append((i * _SECOND if stamp_ns is None else stamp_ns,
                        Pose(np.array([east, north, heights[i]]), level_quaternion(yaw), known)))
    return located


def _number(parts: Sequence[str], at: int) -> float | None:
    try:
        value = float(parts[at])
    except (IndexError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _headings_of_way(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the direction to the next position; the last keeps that of the one before."""
    if len(positions) < 2:
        return np.zeros(len(positions))
    steps = np.diff(positions[:, :2], axis=0)
    return np.arctan2(*np.vstack([steps, steps[-1:]]).T[::-1])


def _rows(path: Path, columns: int, form: str) -> NDArray[np.float64]:
    if not path.is_file():
        raise MapError(f'no such file of poses: {path}')
    lines = [line.replace(',', ' ').split() for line in path.read_text().splitlines()
             if line.strip() and not line.lstrip().startswith('#')]
    for line in lines:
        if len(line) != columns:
            raise MapError(f'{path} is no {form} trajectory: {columns} numbers a line are '
                           f"needed, not {' '.join(line)!r}")
    try:
        return np.array(lines, np.float64).reshape(-1, columns)
    except ValueError as error:
        raise MapError(f'{path} is no {form} trajectory: {error}') from error


def poses_of_tum(path: Path, files: Sequence[Path]) -> Located:
    """
    Read ``stamp x y z qx qy qz qw`` lines: interpolated where images are named by stamps.

    :raises MapError: the file is none, or does not fit the images.
    :raises TrackError: its numbers make no poses.
    """
    rows = _rows(path, 8, 'TUM')
    stamps = np.round(rows[:, 0] * _SECOND).astype(np.int64)
    track = PoseTrack(stamps, rows[:, 1:4], rows[:, 4:])
    try:
        named = [round(float(file.stem) * _SECOND) for file in files]
    except ValueError:
        named = []
    if named and stamps[0] - _SECOND <= named[0] <= stamps[-1] + _SECOND:
        return [(stamp, track.at(stamp, _MAX_GAP)) for stamp in named]
    _one_for_each(path, len(rows), files)
    return [(int(stamp), track.at(int(stamp), _MAX_GAP)) for stamp in stamps]


def poses_of_kitti(path: Path, files: Sequence[Path]) -> Located:
    """
    Read 3x4 matrices of a camera in the frame of the first, and turn both to x forward.

    :raises MapError: the file is none, or does not fit the images.
    :raises TrackError: its numbers make no poses.
    """
    rows = _rows(path, 12, 'KITTI').reshape(-1, 3, 4)
    _one_for_each(path, len(rows), files)
    turns = _OPTICAL.T @ rows[:, :, :3] @ _OPTICAL
    return _located(rows[:, :, 3] @ _OPTICAL, Rotation.from_matrix(turns))


def _one_for_each(path: Path, poses: int, files: Sequence[Path]) -> None:
    if poses != len(files):
        raise MapError(f'{path} has {poses} poses for {len(files)} images')


def _located(positions: NDArray[np.float64], rotations: Rotation
             ) -> Located:
    track = PoseTrack(np.arange(len(positions)) * _SECOND, positions, rotations.as_quat())
    return [(int(stamp), track.at(int(stamp), _MAX_GAP)) for stamp in track.stamps]


def poses_of_colmap(model: Path, folder: Path, files: Sequence[Path]) -> Located:
    """
    Read ``images.txt`` of a COLMAP text model; None for images that it does not have.

    :raises MapError: the file is none.
    """
    path = model if model.is_file() else model / 'images.txt'
    if not path.is_file():
        raise MapError(f'no COLMAP text model: {path} is missing (export one with '
                       "'colmap model_converter --output_type TXT')")
    lines = [line for line in path.read_text().splitlines() if not line.startswith('#')]
    poses: dict[str, Pose] = {}
    for line in lines[::2]:  # each second line holds the points of the image before
        words = line.split(maxsplit=9)
        if not words:
            continue
        try:
            w, x, y, z, *shift = (float(word) for word in words[1:8])
            # COLMAP's are poses of the world in the camera.
            turn = Rotation.from_quat([x, y, z, w]).inv()
            poses[words[9]] = Pose(-turn.apply(shift), (
                turn * Rotation.from_matrix(_OPTICAL)).as_quat())
        except (IndexError, ValueError) as error:
            raise MapError(f'{path} is no COLMAP images.txt: {line!r}: {error}') from error
    by_name = {Path(name).name: pose for name, pose in poses.items()}
    return [(i * _SECOND, poses.get(str(file.relative_to(folder)), by_name.get(file.name)))
            for i, file in enumerate(files)]


def poses_of_exif(files: Sequence[Path], origin: Origin | None
                  ) -> tuple[Located, Origin | None]:
    """
    Read GPS, heading and time of photographs; None for images without.

    :param files: images.
    :param origin: of the local frame; None takes the first image.
    :returns: stamps and poses, and the origin.
    :raises MapError: EXIF data are damaged.
    """
    fixes = [_exif_of(file) for file in files]
    rows = [i for i, fix in enumerate(fixes) if fix is not None]
    known = [fix for fix in fixes if fix is not None]
    if not known:
        return [(i, None) for i in range(len(files))], None
    # Photographs may share a second: they stay in the order of their names.
    track = track_from_fixes([i * _SECOND for i in rows], np.array([f[:3] for f in known]),
                             origin)
    located: Located = []
    for i, fix in enumerate(fixes):
        pose = track.at(i * _SECOND, _MAX_GAP) if fix is not None else None
        if pose is not None and fix is not None and fix[3] is not None:
            pose = replace(pose, quaternion=level_quaternion(math.radians(90.0 - fix[3])))
        located.append((fix[4] if fix is not None and fix[4] else i * _SECOND, pose))
    return located, track.origin


def _exif_of(path: Path) -> tuple[float, float, float, float | None, int | None] | None:
    """Return latitude, longitude, altitude, heading (degrees) and stamp, if there is GPS."""
    from PIL import ExifTags
    from PIL import Image as Picture
    from PIL import UnidentifiedImageError
    try:
        with Picture.open(path) as picture:  # reads the header only
            exif = picture.getexif()
            gps: dict[int, Any] = exif.get_ifd(ExifTags.IFD.GPSInfo)
            taken = exif.get_ifd(ExifTags.IFD.Exif).get(
                ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
        tags = ExifTags.GPS
        if tags.GPSLatitude not in gps or tags.GPSLongitude not in gps:
            return None
        latitude = _degrees(gps[tags.GPSLatitude], gps.get(tags.GPSLatitudeRef) == 'S')
        longitude = _degrees(gps[tags.GPSLongitude], gps.get(tags.GPSLongitudeRef) == 'W')
        below = gps.get(tags.GPSAltitudeRef) in (1, b'\x01')
        altitude = float(gps.get(tags.GPSAltitude, 0.0)) * (-1 if below else 1)
        heading = gps.get(tags.GPSImgDirection)
    except (UnidentifiedImageError, OSError, ValueError, TypeError, ZeroDivisionError,
            SyntaxError, Picture.DecompressionBombError) as error:
        raise MapError(f'{path}: its EXIF cannot be read: {error}') from error
    return latitude, longitude, altitude, None if heading is None else float(heading), _time(taken)


def _degrees(parts: Sequence[Any], negative: bool) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if negative else value


def _time(text: object) -> int | None:
    try:
        # Cameras do not say their time zone: it does not matter which one is taken.
        taken = datetime.strptime(f'{text} +0000', '%Y:%m:%d %H:%M:%S %z')
    except ValueError:
        return None
    return int(taken.timestamp()) * _SECOND
