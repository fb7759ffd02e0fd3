# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses of photographs that cameras with GPS have taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
import math
from pathlib import Path
import struct
from typing import Any
import warnings

import numpy as np
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.pose import FARTHEST, level_quaternion, Pose
from tetra_vpr_ros.mapping.sources.gps import track_from_fixes
from tetra_vpr_ros.mapping.sources.image_poses.posed_images import (
    completed, PosedImages, SECOND, Skipped)
from tetra_vpr_ros.mapping.sources.pose_track import Origin

# Tags of EXIF 2.32, which Pillow has names for since 9.3 only.
_EXIF, _GPS_INFO, _TAKEN, _CHANGED = 0x8769, 0x8825, 0x9003, 0x0132
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE, _ALTITUDE_REF, _ALTITUDE = range(1, 7)
_DIRECTION = 17
_NOT_AT_SEA = 20.0  # metres, of the photographs beside one that says zero


@dataclass(frozen=True)
class _Photo:
    """What a photograph says; None where it does not."""

    latitude: float
    longitude: float
    altitude: float | None
    heading: float | None
    stamp: int | None


def poses_of_exif(files: Sequence[Path], origin: Origin | None) -> PosedImages:
    """
    Read GPS, heading and time of photographs.

    A photograph without altitude has that of its neighbours, one without heading looks along
    the way that the photographs make.

    :param files: images.
    :param origin: of the local frame; None takes the first image.
    :raises MapError: no photograph has a position.
    """
    skipped = Skipped()
    photos = [_read(file, skipped) for file in files]
    known = [(i, photo) for i, photo in enumerate(photos) if photo is not None]
    if not known:
        raise MapError(f"no image has a pose in its EXIF: {'; '.join(skipped.images_lines())}")
    # Photographs may share a second: they stay in the order of their names.
    track = track_from_fixes(
        [i * SECOND for i, _ in known],
        np.array([[photo.latitude, photo.longitude, altitude] for (_, photo), altitude in zip(
            known, _altitudes(known, files, skipped))]), origin)
    poses: list[Pose | None] = [None] * len(files)
    for i, photo in known:
        pose = track.at(i * SECOND, 0)
        if pose is not None and photo.heading is not None:
            pose = replace(pose, quaternion=level_quaternion(math.radians(90.0 - photo.heading)))
        elif pose is not None:
            skipped.add('photographs have no heading and look along the way', files[i])
        poses[i] = pose
    return PosedImages(completed([None if photo is None else photo.stamp for photo in photos]),
                       poses, 'EXIF', skipped, track.origin)


def _altitudes(known: Sequence[tuple[int, _Photo]], files: Sequence[Path], skipped: Skipped
               ) -> list[float]:
    """Return the altitude of each; where it is not known, between those of its neighbours."""
    told = [(i, photo.altitude) for i, photo in known if photo.altitude is not None]
    # Cameras write exactly zero where they do not know it.
    if told and abs(np.median([altitude for _, altitude in told])) > _NOT_AT_SEA:
        told = [(i, altitude) for i, altitude in told if altitude]
    if not told:
        return [0.0] * len(known)
    lacking = sorted({i for i, _ in known} - {i for i, _ in told})
    if lacking:
        skipped.add('photographs have no altitude and are put between their neighbours',
                    files[lacking[0]], len(lacking))
    at, altitudes = zip(*told)
    return [float(value) for value in np.interp([i for i, _ in known], at, altitudes)]


def _read(path: Path, skipped: Skipped) -> _Photo | None:
    """Read one photograph; None, and counted, where it says no position."""
    from PIL import Image as Picture
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of what is damaged: it is counted here
            with Picture.open(path) as picture:  # reads the header only
                exif = picture.getexif()
                gps: dict[int, Any] = dict(exif.get_ifd(_GPS_INFO))
                taken = exif.get_ifd(_EXIF).get(_TAKEN) or exif.get(_CHANGED)
    except (OSError, ValueError, TypeError, ArithmeticError, LookupError, SyntaxError, EOFError,
            struct.error, Picture.DecompressionBombError) as error:
        skipped.images[path] = f'its EXIF data cannot be read: {error}'
        return None
    if _LATITUDE not in gps or _LONGITUDE not in gps:
        skipped.images[path] = 'its EXIF data hold no GPS position'
        return None
    latitude = _angle(gps, _LATITUDE, _LATITUDE_REF, 'NS')
    longitude = _angle(gps, _LONGITUDE, _LONGITUDE_REF, 'EW')
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180 or (
            latitude == longitude == 0):
        skipped.images[path] = ('its GPS position is none: 0/0, off the Earth, or without N or S, '
                                'E or W')
        return None
    altitude = _number(gps.get(_ALTITUDE))
    if altitude is not None and gps.get(_ALTITUDE_REF) in (1, b'\x01'):
        altitude = -altitude
    heading = _number(gps.get(_DIRECTION))
    return _Photo(latitude, longitude,
                  None if altitude is None or abs(altitude) > FARTHEST else altitude,
                  None if heading is None else heading % 360.0, _time(taken))


def _angle(gps: Mapping[int, Any], tag: int, reference: int, letters: str) -> float | None:
    """Return signed degrees; None where they are none, or the hemisphere is not told."""
    parts = gps[tag] if isinstance(gps[tag], (tuple, list)) else (gps[tag],)
    numbers = [_number(part) for part in parts]
    side = gps.get(reference)
    letter = side.strip('\0 ')[:1].upper() if isinstance(side, str) else ''
    if not numbers or None in numbers or not letter or letter not in letters:
        return None
    value = sum(part / 60**i for i, part in enumerate(numbers) if part is not None)
    return -value if letter == letters[1] else value


def _number(value: Any) -> float | None:
    """Return a rational as a number; None for 0/0 and for what is none."""
    try:
        plain = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return plain if math.isfinite(plain) else None


def _time(text: object) -> int | None:
    try:
        # Cameras do not say their time zone: it does not matter which one is taken.
        taken = datetime.strptime(f'{text} +0000', '%Y:%m:%d %H:%M:%S %z')
    except ValueError:
        return None
    return int(taken.timestamp()) * SECOND
