# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which patches of two pictures show the same point of the scene.

Two cuts of one picture always tell. Two pictures tell where depth and poses are known, as of
rendered worlds: a point is carried from the one to the other, and counts where the other sees
it, too.

Depth maps are 16-bit PNGs in centimetres along the optical axis, 0 where nothing is known, with
the names of their pictures; ``camera.json`` beside them gives the focal lengths in widths and
heights of the picture: ``{"focal": [0.5, 0.8]}``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
import json
import math
from pathlib import Path

import cv2
import numpy as np
from tetra_vpr_ros.training.data.place_sets import PlaceSet, PlaceSetError
from tetra_vpr_ros.training.data.pool import PoolImage
from tetra_vpr_ros.vision.image_files import ViewName

_SLACK_M, _SLACK_SHARE = 0.3, 0.1  # a step of the depth, and the slope within a patch


@dataclass(frozen=True)
class _Camera:
    """Pose (metres, radians) of a level camera, its lens, and its depth map."""

    place: np.ndarray
    yaw: float
    focal: np.ndarray
    depth: Path


class ScenePoints:
    """
    Points that patches of different pictures share.

    :param sets: data sets; those with a folder of depth maps tell of different pictures.
    :raises PlaceSetError: a folder, its ``camera.json`` or a picture's name cannot be used.
    """

    def __init__(self, sets: Iterable[PlaceSet] = ()) -> None:
        """Read lenses and poses; no depth map is opened."""
        self._cameras: dict[str, _Camera] = {}
        for part in sets:
            if not part.config.depth:
                continue
            focal = _focal(Path(part.config.depth) / 'camera.json')
            maps = part.beside(part.config.depth)
            found = {image.name: _camera(image, depth, focal)
                     for image, depth in zip(part.images, maps)}
            missing = [path for path in maps if not path.is_file()]
            if missing:
                raise PlaceSetError(f'{len(missing)} pictures of {part.config.path} have no '
                                    f'depth map, the first is {missing[0]}')
            self._cameras.update(found)

    def shared(self, names: tuple[str, str], cuts: tuple[np.ndarray, np.ndarray],
               grid: tuple[int, int]) -> np.ndarray | None:
        """
        Find each patch of one view in another.

        :param names: of the two pictures.
        :param cuts: from each picture to its view, see `random_cut`.
        :param grid: rows and columns of the patches of a view.
        :returns: for each patch of the first view the one of the second that shows the point
            in its middle, int ``[rows*columns]``; -1 where none does. None where nothing is
            known of the two.
        """
        rows, columns = grid
        row, column = np.divmod(np.arange(rows * columns), columns)
        middles = np.stack([(column + 0.5) / columns, (row + 0.5) / rows], 1)
        points = _through(np.linalg.inv(cuts[0]), middles)
        if names[0] != names[1]:
            cameras = [self._cameras.get(name) for name in names]
            if cameras[0] is None or cameras[1] is None:
                return None
            points = _carried(points, cameras[0], cameras[1])
        seen = _through(cuts[1], points)
        with np.errstate(invalid='ignore'):
            inside = ((seen >= 0) & (seen < 1)).all(1)
        found = np.where(inside[:, None], seen, 0)
        cells = ((found[:, 1] * rows).astype(int) * columns + (found[:, 0] * columns).astype(int))
        return np.where(inside, cells, -1)


def _carried(points: np.ndarray, first: _Camera, second: _Camera) -> np.ndarray:
    """Carry points of one picture to another; NaN where it does not see them."""
    far = _depth_at(first.depth, points)
    aside, up = ((points - 0.5) / first.focal * [1, -1] * far[:, None]).T
    cos, sin = math.cos(first.yaw), math.sin(first.yaw)
    world = first.place + np.stack([far * cos + aside * sin, far * sin - aside * cos, up], 1)
    east, north, up = (world - second.place).T
    cos, sin = math.cos(second.yaw), math.sin(second.yaw)
    ahead, aside = east * cos + north * sin, east * sin - north * cos
    with np.errstate(invalid='ignore', divide='ignore'):
        seen = np.stack([aside, -up], 1) / ahead[:, None] * second.focal + 0.5
        visible = (ahead > 0.1) & ((seen >= 0) & (seen < 1)).all(1)
        there = _depth_at(second.depth, np.where(visible[:, None], seen, 0.5))
        visible &= np.abs(there - ahead) < _SLACK_M + _SLACK_SHARE * ahead
    return np.where(visible[:, None], seen, np.nan)


def _depth_at(path: Path, points: np.ndarray) -> np.ndarray:
    """Return metres along the optical axis at points of the unit square; NaN where unknown."""
    depth = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if depth is None or depth.ndim != 2 or depth.dtype != np.uint16:
        raise PlaceSetError(f'{path} is not a depth map (16-bit PNG in centimetres)')
    height, width = depth.shape
    column = np.clip((points[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip((points[:, 1] * height).astype(int), 0, height - 1)
    centimetres = depth[row, column]
    return np.where(centimetres > 0, centimetres / 100.0, np.nan)


def _through(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points ``[n, 2]`` through a homography."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return mapped[:, :2] / mapped[:, 2:]


def _focal(path: Path) -> np.ndarray:
    try:
        focal = np.array(json.loads(path.read_text())['focal'], float)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlaceSetError(f'{path} must give the focal lengths in widths and heights of the '
                            f'picture, {{"focal": [0.5, 0.8]}}: {error!r}') from error
    if focal.shape != (2,) or not (focal > 0).all():
        raise PlaceSetError(f'{path}: focal must be two positive numbers, not {focal.tolist()}')
    return focal


def _camera(image: PoolImage, depth: Path, focal: np.ndarray) -> _Camera:
    name = ViewName.of(image.path.name)
    pose = name.east, name.north, name.height, name.heading
    if None in pose or not np.isfinite(np.array(pose, float)).all():
        raise PlaceSetError(f'{image.path} goes with depth maps, and its name gives no east, '
                            'north, heading and height')
    if name.pitch or name.roll:
        raise PlaceSetError(f'{image.path}: depth maps need a level camera, not pitch '
                            f'{name.pitch} and roll {name.roll}')
    *position, heading = np.array(pose, float)
    return _Camera(np.array(position), math.radians(90.0 - heading), focal, depth)
