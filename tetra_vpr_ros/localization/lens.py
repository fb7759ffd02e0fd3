# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot's camera against the one that the map was made with."""

from __future__ import annotations

from dataclasses import dataclass

from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.vision.decoding import Image
from tetra_vpr_ros.vision.field_of_view import with_view

_SAME = 0.02  # of a picture's width: what calibrations of one camera differ by


@dataclass(frozen=True)
class Lens:
    """
    What is done to a camera's pictures, and which view they then have.

    :ivar shares: width and height of the map's view as shares of the camera's; None where
        the pictures are used as they are.
    :ivar horizontal_fov: of the pictures as they are used, radians; None where it is not
        known.
    """

    shares: tuple[float, float] | None = None
    horizontal_fov: float | None = None

    @classmethod
    def between(cls, own: Camera | None, mapping: Camera | None) -> Lens:
        """
        Compare two cameras.

        :param own: of the robot; None where it is not known.
        :param mapping: of the map; None where it is not known.
        """
        if own is None or mapping is None:
            known = own or mapping
            return cls(None, None if known is None else known.horizontal_fov)
        # A fisheye's picture cannot be cut to that of a lens without distortion.
        if own.projection != mapping.projection:
            return cls(None, own.horizontal_fov)
        across, down = (theirs / ours for theirs, ours in zip(mapping.extents, own.extents))
        if max(abs(across - 1), abs(down - 1)) <= _SAME:
            return cls(None, own.horizontal_fov)
        return cls((across, down), mapping.horizontal_fov)

    def __call__(self, image: Image) -> Image:
        """
        Return a picture with the view of the map's camera.

        :param image: of the robot's camera, RGB uint8 ``[H, W, 3]``.
        """
        return image if self.shares is None else with_view(image, *self.shares)
