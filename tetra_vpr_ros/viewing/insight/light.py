# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""In which light each traverse of a map was driven."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable

_LOOKED_AT = 40          # thumbnails of a traverse
_DARK, _DIM = 0.12, 0.25  # mean brightness below which a traverse is called that


@dataclass(frozen=True)
class Light:
    """
    How bright the pictures of a traverse are.

    :ivar brightness: median of their means, 0 (black) … 1 (white); NaN without thumbnails.
    """

    brightness: float

    @property
    def word(self) -> str:
        """Return ``dark``, ``dim``, ``light``, or nothing where there are no pictures."""
        if np.isnan(self.brightness):
            return ''
        return ('dark' if self.brightness < _DARK else
                'dim' if self.brightness < _DIM else 'light')


def light_of(place_map: PlaceMap, table: PlaceTable, session: int) -> Light:
    """
    Return the light of a traverse, from its thumbnails.

    :param place_map: open.
    :param table: its places.
    :param session: the traverse.
    :raises MapError: the map is damaged.
    """
    rows = np.flatnonzero(table.sessions == session)
    rows = rows[:: max(1, len(rows) // _LOOKED_AT)]
    means = [brightness for row in rows
             if (brightness := _brightness(place_map.thumbnail(int(table.ids[row])))) is not None]
    return Light(float(np.median(means)) if means else float('nan'))


def _brightness(jpeg: bytes | None) -> float | None:
    """Return the mean of a picture, 0..1; None where there is none, or none that decodes."""
    if not jpeg:
        return None
    grey: NDArray[np.uint8] | None = cv2.imdecode(  # type: ignore[assignment]
        np.frombuffer(jpeg, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_4)
    return None if grey is None else float(grey.mean()) / 255
