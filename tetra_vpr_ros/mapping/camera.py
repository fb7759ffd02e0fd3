# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How much of the world a camera sees, as its driver or a person tells it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOUNTS = ('forward', 'down')
"""Ways to mount a camera: with an upright, or looking straight down."""

PINHOLE, EQUIDISTANT = 'pinhole', 'equidistant'
_FISHEYE_MODELS = ('equidistant', 'fisheye', 'kannala_brandt')
_NARROWEST, _WIDEST = math.radians(1.0), math.radians(180.0)
_SAME = 0.05  # of a field of view: below that pictures of one place look alike
_MOST_PIXELS = 100_000  # along a side
# image_proc's image_rect and image_rect_color, and .../rect/image of newer drivers.
_RECTIFIED = re.compile(r'(^|[/_])rect(ified)?($|[/_])')


@dataclass(frozen=True)
class Intrinsics:
    """
    What a ``CameraInfo`` says of the pictures of a topic.

    One message serves the raw and the rectified pictures of a driver: ``K`` and the distortion are
    those of the raw, ``P`` is that of the rectified ones, which have none. A region of interest is
    what of the calibrated picture is shown, in the pixels of both.

    :ivar matrix: ``[3, 3]``, pixels; zeros of a driver that is not calibrated.
    :ivar width: of the pictures, in the same pixels; drivers that bin send fewer.
    :ivar height: likewise.
    :ivar distortion_model: as the message names it; empty of rectified pictures.
    """

    matrix: NDArray[np.float64]
    width: int
    height: int
    distortion_model: str

    @classmethod
    def of(cls, info: Any, image_topic: str) -> Intrinsics:
        """
        Read a message.

        :param info: of ROS 1 or ROS 2.
        :param image_topic: of the pictures.
        """
        matrix = np.array(info.K if hasattr(info, 'K') else info.k, np.float64).reshape(3, 3)
        rectified = _RECTIFIED.search(image_topic) is not None
        projection = np.array(info.P if hasattr(info, 'P') else info.p, np.float64).reshape(3, 4)
        if rectified and min(projection[0, 0], projection[1, 1]) > 0:
            matrix = projection[:, :3]
        roi = info.roi
        if roi.width and roi.height:
            matrix = matrix - np.array([[0, 0, roi.x_offset], [0, 0, roi.y_offset], [0, 0, 0]])
        size = (roi.width, roi.height) if roi.width and roi.height else (info.width, info.height)
        return cls(matrix, *size, '' if rectified else str(info.distortion_model))

    def camera(self) -> Camera | None:
        """Return how much is seen; None where the numbers are no camera."""
        return Camera.from_intrinsics(self.width, self.height, self.matrix, self.distortion_model)

    def of_picture(self, width: int, height: int) -> NDArray[np.float64] | None:
        """
        Return the matrix ``[3, 3]`` of a picture of this camera, pixels.

        :param width: of the picture, which may be larger or smaller than the calibrated one.
        :param height: of the picture.
        :returns: None where there is none: of a fisheye, or of a driver that is not calibrated.
        """
        if (self.distortion_model.lower() in _FISHEYE_MODELS or not np.isfinite(self.matrix).all()
                or min(self.matrix[0, 0], self.matrix[1, 1]) <= 0):
            return None
        if not (self.width and self.height):  # some drivers leave it out
            return self.matrix
        return np.diag([width / self.width, height / self.height, 1.0]) @ self.matrix


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
        Return the camera of a matrix and of how its lens distorts.

        The picture is taken to be centred; distortion beside that of a fisheye is ignored.

        :param width: of the pictures, pixels.
        :param height: of the pictures, pixels.
        :param matrix: ``K``, ``[3, 3]`` or nine numbers, pixels.
        :param distortion_model: as ``CameraInfo`` names it.
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

    @property
    def matrix(self) -> NDArray[np.float64] | None:
        """Return the camera matrix ``[3, 3]``, pixels; None of a fisheye, which has none."""
        if self.projection != PINHOLE:
            return None
        across, down = self.extents
        return np.array([[self.width / (2 * across), 0.0, self.width / 2],
                         [0.0, self.height / (2 * down), self.height / 2], [0.0, 0.0, 1.0]])

    def __str__(self) -> str:
        """Return the field of view for a person."""
        fisheye = ', fisheye' if self.projection == EQUIDISTANT else ''
        return (f'{math.degrees(self.horizontal_fov):.1f}° x '
                f'{math.degrees(self.vertical_fov):.1f}°{fisheye}')


def seen_otherwise(camera: Camera, kept: Camera) -> str:
    """
    Tell a person that a map's pictures are of two cameras; nothing where they see about the same.

    :param camera: of further pictures.
    :param kept: that the map remembers.
    """
    if camera.projection == kept.projection and \
            abs(camera.horizontal_fov / kept.horizontal_fov - 1) <= _SAME:
        return ''
    return f'its camera sees {camera}, that of the map {kept}; the map keeps its own'


def info_topic(image_topic: str) -> str:
    """
    Return the ``camera_info`` topic beside an image topic, where drivers publish it.

    :param image_topic: of raw or of compressed images.
    """
    folder, slash, _ = image_topic.removesuffix('/compressed').rpartition('/')
    return f'{folder}{slash}camera_info'
