# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From the pictures of one camera to estimates: encoder and localizer of a map."""

from __future__ import annotations

from tetra_vpr_ros.localization.estimate import Estimate
from tetra_vpr_ros.localization.factory import LocalizerOptions, make_localizer
from tetra_vpr_ros.localization.observation import View
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.vision import PlaceEncoder
from tetra_vpr_ros.vision.picture import Image


class PictureLocalizer:
    """
    Tells the place of pictures, one after the other, from a new start.

    :param place_map: open; it must stay so where matches are looked at again.
    :param encoder: with the map's model.
    :param options: how to localize.
    :raises MapError: the map was made by another model, or cannot be used.
    :ivar localizer: that is asked.
    """

    def __init__(self, place_map: PlaceMap, encoder: PlaceEncoder, options: LocalizerOptions
                 ) -> None:
        """Make the localizer."""
        place_map.require_model(encoder.info)
        self._encoder = encoder
        self.localizer = make_localizer(place_map, options)

    def locate(self, picture: Image, stamp_ns: int) -> Estimate:
        """
        Estimate where a picture was taken.

        :param picture: RGB uint8 ``[H, W, 3]``.
        :param stamp_ns: nanoseconds.
        :raises ImageError: it has no size that can be encoded.
        """
        looks = self.localizer.second_look is not None
        (descriptor, tokens), = self._encoder.encode_with_tokens([picture], looks)
        return self.localizer.locate([View(descriptor, tokens=tokens)], stamp_ns)
