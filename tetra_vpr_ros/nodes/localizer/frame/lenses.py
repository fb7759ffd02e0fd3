# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How much each camera sees, as parameter, ``camera_info`` and map tell it."""

from __future__ import annotations

from contextlib import suppress
import math

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from tetra_vpr_ros.localization.lens import Lens
from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.nodes.localizer.inputs.measurements import Measurements
from tetra_vpr_ros.nodes.localizer.loading import Loaded, parameter_getter


class Lenses:
    """
    The cameras of an active node against that of the map.

    :param node: with the parameter ``horizontal_fov``, and for its log.
    :param loaded: with the map's camera.
    :param measurements: what the cameras tell of themselves.
    """

    def __init__(self, node: LifecycleNode, loaded: Loaded, measurements: Measurements) -> None:
        """Read the parameter."""
        self._node, self._measurements = node, measurements
        self._mapping = loaded.mapping_camera
        self._given = math.radians(parameter_getter(node)('horizontal_fov'))
        self._told: set[int] = set()

    def of(self, camera: int, topic: str, image: NDArray[np.uint8]) -> Lens:
        """
        Return the lens of a camera, as far as it is known by now.

        :param camera: its index.
        :param topic: of its pictures, for the log.
        :param image: RGB uint8 ``[H, W, 3]``.
        """
        own = self._own(camera, image)
        lens = Lens.between(own, self._mapping)
        if lens.shares is not None and camera not in self._told:
            self._told.add(camera)
            self._node.get_logger().info(
                f'{topic}: the camera sees {own}, that of the map {self._mapping}: its pictures '
                'are cropped or padded to that')
        return lens

    def fewest_pixels(self, camera: int, wanted: int) -> int:
        """
        Return how many pixels along its shorter side a picture needs before it is cropped.

        :param camera: its index.
        :param wanted: that are to be left along the shorter side.
        :returns: 0 where it is not known before the picture is decoded.
        """
        if self._mapping is None:
            return wanted
        if self._given:
            return 0
        shares = Lens.between(self._measurements.cameras.get(camera), self._mapping).shares
        return wanted if shares is None else math.ceil(wanted / min(1.0, *shares))

    def _own(self, camera: int, image: NDArray[np.uint8]) -> Camera | None:
        if not self._given:
            return self._measurements.cameras.get(camera)
        height, width = image.shape[:2]
        with suppress(ValueError):  # of a picture of one row
            return Camera.from_field_of_view(width, height, self._given)
        return None


def camera_info_is_wanted(node: LifecycleNode, loaded: Loaded) -> bool:
    """Tell whether anything is gained by what the cameras tell of themselves."""
    value = parameter_getter(node)
    if loaded.options.verification == 'orb':
        return True
    looks = loaded.options.second_look and loaded.place_map.has_second_look()
    return not value('horizontal_fov') and bool(looks or loaded.mapping_camera)
