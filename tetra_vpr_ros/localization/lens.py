# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot's camera against the one that the map was made with."""

from __future__ import annotations

from dataclasses import dataclass
import math

from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.vision.decoding import Image
from tetra_vpr_ros.vision.field_of_view import with_view

_WIDER = 0.98
"""Share from which on a picture is not cropped: so much do calibrations of one camera differ."""
_NARROWER = 1.15
"""Share up to which it is not padded: what would be made up costs more than it helps."""


@dataclass(frozen=True)
class Lens:
    """
    What is done to a camera's pictures, and which view they then have.

    :ivar shares: width and height of the map's view as shares of the camera's; None where
        the pictures are used as they are.
    :ivar horizontal_fov: of the pictures as they are used, radians; of a fisheye's, that of
        a lens without distortion that shows what is ahead as large. None where it is not known.
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
            return cls(None, None if known is None else _central_fov(known))
        # A fisheye's picture cannot be cut to that of a lens without distortion.
        if own.projection != mapping.projection:
            return cls(None, _central_fov(own))
        across, down = (_share(theirs / ours)
                        for theirs, ours in zip(mapping.extents, own.extents))
        if across == down == 1.0:
            return cls(None, _central_fov(own))
        return cls((across, down), _central_fov(own if across == 1.0 else mapping))

    def __call__(self, image: Image) -> Image:
        """
        Return a picture with the view of the map's camera.

        :param image: of the robot's camera, RGB uint8 ``[H, W, 3]``.
        """
        return image if self.shares is None else with_view(image, *self.shares)


def _share(ratio: float) -> float:
    return 1.0 if _WIDER <= ratio <= _NARROWER else ratio


def _central_fov(camera: Camera) -> float:
    return 2 * math.atan(camera.extents[0])
