# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How much of the world a camera sees, as its driver or a person tells it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOUNTS = ('forward', 'down')
"""Ways to mount a camera: with an upright, or looking straight down."""

PINHOLE, EQUIDISTANT = 'pinhole', 'equidistant'
_FISHEYE_MODELS = ('equidistant', 'fisheye', 'kannala_brandt')
_NARROWEST, _WIDEST = math.radians(1.0), math.radians(180.0)
_MOST_PIXELS = 100_000  # along a side


@dataclass(frozen=True)
class Camera:
    """
    The view of a camera.

    :ivar width: of its pictures, pixels.
    :ivar height: of its pictures, pixels.
    :ivar horizontal_fov: field of view, radians.
    :ivar vertical_fov: field of view, radians.
    :ivar projection: ``pinhole``, where straight lines stay straight, or ``equidistant``,
        where equal angles are equal distances.
    """

    width: int
    height: int
    horizontal_fov: float
    vertical_fov: float
    projection: str = PINHOLE

    @classmethod
    def from_intrinsics(cls, width: int, height: int, matrix: NDArray[np.float64],
                        distortion_model: str = '') -> Camera | None:
        """
        Return the camera of a ``CameraInfo`` message.

        The picture is taken to be centred; distortion beside that of a fisheye is ignored.

        :param width: of the pictures, pixels.
        :param height: of the pictures, pixels.
        :param matrix: ``K``, ``[3, 3]`` or nine numbers, pixels.
        :param distortion_model: as the message names it.
        :returns: None where the numbers are no camera: drivers publish zeros before they
            are calibrated.
        """
        values = np.asarray(matrix, np.float64).reshape(-1)
        if values.size != 9 or not np.isfinite(values).all() or min(values[0], values[4]) <= 0:
            return None
        extents = width / (2 * values[0]), height / (2 * values[4])
        if distortion_model.lower() in _FISHEYE_MODELS:
            fields, projection = [2 * extent for extent in extents], EQUIDISTANT
        else:
            fields, projection = [2 * math.atan(extent) for extent in extents], PINHOLE
        camera = cls(int(width), int(height), float(fields[0]), float(fields[1]), projection)
        return camera if camera._possible() else None

    @classmethod
    def from_field_of_view(cls, width: int, height: int, horizontal_fov: float) -> Camera:
        """
        Return a camera without distortion, with square pixels.

        :param width: of the pictures, pixels.
        :param height: of the pictures, pixels.
        :param horizontal_fov: radians.
        :raises ValueError: there is no such camera.
        """
        horizontal_fov = float(horizontal_fov)
        vertical = 2 * math.atan(math.tan(horizontal_fov / 2) * height / max(width, 1))
        camera = cls(int(width), int(height), horizontal_fov, vertical)
        if not camera._possible():
            raise ValueError(f'a horizontal field of view of {math.degrees(horizontal_fov):g} '
                             f'degrees is not possible for pictures of {width}x{height} pixels')
        return camera

    @classmethod
    def from_meta(cls, stored: Any) -> Camera | None:
        """
        Return what `to_meta` has stored; None for None.

        :raises ValueError: it is no camera.
        """
        if stored is None:
            return None
        try:
            camera = cls(**stored)
            possible = camera._possible()
        except TypeError as error:
            raise ValueError(f'no camera: {stored!r:.80}') from error
        if not possible:
            raise ValueError(f'no camera: {stored!r:.80}')
        return camera

    def to_meta(self) -> dict[str, Any]:
        """Return what a map keeps, JSON-serialisable."""
        return asdict(self)

    def _possible(self) -> bool:
        widest = _WIDEST if self.projection == PINHOLE else 2 * _WIDEST
        return (self.projection in (PINHOLE, EQUIDISTANT)
                and all(type(side) is int and 0 < side <= _MOST_PIXELS
                        for side in (self.width, self.height))
                and all(type(field) is float and _NARROWEST < field < widest
                        for field in (self.horizontal_fov, self.vertical_fov)))

    @property
    def extents(self) -> tuple[float, float]:
        """Return half the picture's width and height in focal lengths."""
        fields = self.horizontal_fov, self.vertical_fov
        if self.projection == EQUIDISTANT:
            return fields[0] / 2, fields[1] / 2
        return math.tan(fields[0] / 2), math.tan(fields[1] / 2)

    def __str__(self) -> str:
        """Return the field of view for a person."""
        fisheye = ', fisheye' if self.projection == EQUIDISTANT else ''
        return (f'{math.degrees(self.horizontal_fov):.1f}° x '
                f'{math.degrees(self.vertical_fov):.1f}°{fisheye}')


def info_topic(image_topic: str) -> str:
    """
    Return the ``camera_info`` topic beside an image topic, where drivers publish it.

    :param image_topic: of raw or of compressed images.
    """
    folder, slash, _ = image_topic.removesuffix('/compressed').rpartition('/')
    return f'{folder}{slash}camera_info'
