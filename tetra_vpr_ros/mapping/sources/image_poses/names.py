# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses in the names of images, as VPR-methods-evaluation has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import math
from pathlib import Path

import numpy as np
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.pose import FARTHEST, level_quaternion, Pose
from tetra_vpr_ros.mapping.sources.image_poses.posed_images import completed, PosedImages, Skipped
from tetra_vpr_ros.mapping.sources.image_poses.stamps import number, unit_since_1970, UNITS
from tetra_vpr_ros.vision.image_files import ViewName


def poses_of_names(files: Sequence[Path], way: bool = False) -> PosedImages:
    """
    Read ``@utm_east@utm_north@…`` names.

    :param files: images.
    :param way: images without a heading look along the way that their order makes. Otherwise
        they are left out: names in natural order go eastwards, whichever way was driven, and
        a panorama's views look to all sides.
    :raises MapError: no name holds a position, or there are no headings.
    """
    skipped = Skipped()
    poses = [_pose(path, skipped) for path in files]
    if all(pose is None for pose, _ in poses):
        raise MapError(f'{files[0]}: the name holds no @utm_east@utm_north@; say with --poses '
                       'where the poses are')
    stamps = completed([None if pose is None else _stamp(path)
                        for (pose, _), path in zip(poses, files)])
    found = [pose for pose, _ in poses]
    lacking = [i for i, (pose, headed) in enumerate(poses) if pose is not None and not headed]
    if lacking and way:
        found = _along(found, stamps, lacking)
        skipped.add('images look along the way, as their names have no heading',
                    files[lacking[0]], len(lacking))
    elif lacking:
        for i in lacking:
            found[i] = None
            skipped.images[files[i]] = (
                'there is no heading in its name (the 9th field, degrees clockwise from north): '
                'fill it in, or use --poses utm:way where the camera looked ahead and the names '
                'follow the drive')
    return PosedImages(stamps, found, 'name', skipped)


def _pose(path: Path, skipped: Skipped) -> tuple[Pose | None, bool]:
    """Return the pose of a name, and whether it has a heading."""
    name = ViewName.of(path.name)
    east, north, height = _known(name.east), _known(name.north), _known(name.height) or 0.0
    if east is None or north is None:
        skipped.images[path] = 'its name holds no @utm_east@utm_north@'
        return None, False
    if max(abs(east), abs(north), abs(height)) > FARTHEST:
        skipped.images[path] = 'the position in its name is not on Earth'
        return None, False
    latitude, longitude = name.latitude, name.longitude
    geodetic = None
    if latitude is not None and longitude is not None and (
            abs(latitude) <= 90 and abs(longitude) <= 360 and (latitude, longitude) != (0, 0)):
        geodetic = latitude, longitude, height
    heading = _known(name.heading)
    yaw = 0.0 if heading is None else math.radians(90.0 - heading % 360.0)
    return (Pose(np.array([east, north, height]), level_quaternion(yaw), geodetic),
            heading is not None)


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _stamp(path: Path) -> int | None:
    """Return the time in a name; others write years and months, which tell no images apart."""
    value = number(ViewName.of(path.name).stamp)
    unit = None if value is None else unit_since_1970(value)
    return None if value is None or unit is None else int(value * UNITS[unit])


def _along(poses: Sequence[Pose | None], stamps: Sequence[int], lacking: Sequence[int]
           ) -> list[Pose | None]:
    """Turn the poses without a heading to the next position; the last as the one before."""
    rows = sorted((i for i, pose in enumerate(poses) if pose is not None),
                  key=lambda i: stamps[i])
    steps = np.diff([pose.position[:2] for i in rows if (pose := poses[i])], axis=0)
    moved = np.flatnonzero(steps.any(axis=1)) if len(rows) > 1 else np.zeros(0, int)
    if not len(moved):
        raise MapError('names without a heading (the 9th field), all of one position: there is '
                       'no way to look along')
    following = moved[np.minimum(np.searchsorted(moved, np.arange(len(rows))), len(moved) - 1)]
    yaw = dict(zip(rows, np.arctan2(steps[following, 1], steps[following, 0])))
    ahead = list(poses)
    for i in lacking:
        if (pose := poses[i]) is not None:
            ahead[i] = replace(pose, quaternion=level_quaternion(yaw[i]))
    return ahead
