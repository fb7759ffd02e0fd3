# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The places of a map whose patch tokens a frame is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
import math

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.token_comparison import SECOND_LOOK, TokenComparison
from tetra_vpr_ros.vision.match_model import MatchModel

HEADING_DEVIATION = math.radians(5.0)
"""
Standard deviation of a heading that a second look has measured, radians.

Set from second laps through two simulated levels, MAP11 and E1M1 (90 degrees of view, 0.3-0.6 m
beside the first): 95 % of the headings were within 7.3 and 10.0 degrees. Mostly it is the way
to the side: near things move in the picture as if the camera had been turned.
"""

_SOMETHING = 0.42
"""
Share of bits by which a picture differs from all that show nothing if it shows something.

Of 180 pictures of nothing none reaches 0.31. Of drives by day and night, a museum and an office
nine of ten are beyond it, of rendered walls and fields from above half; what is not is compared
in full.
"""

_CACHED = 4096  # places whose tokens are kept in memory, 13 MB


@dataclass(frozen=True)
class Looks:
    """
    What a second look at some places has shown.

    :ivar ids: of the places that have tokens, in the order in which they were given, ``[k]``.
    :ivar scores: see `TokenScores`, ``[k]``.
    :ivar columns: share of the picture's width by which the query's camera is turned to the
        right of the place's, ``[k]``.
    :ivar compared: backgrounds and contrasts, see `TokenScores`, ``[k, 2]``.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    columns: NDArray[np.float64]
    compared: NDArray[np.float64]


class SecondLook:
    """
    Compares a frame with places by their patch tokens, which are read as they are needed.

    :param place_map: with tokens; it must stay open.
    :param model: of matches, of the map's model.
    :param count: how many candidates a localizer shows to it.
    :raises MapError: the model does not fit the map's tokens.
    :ivar fields_of_view: horizontal, of each camera, radians, as far as they are known; the
        mapping camera's is the same.
    """

    def __init__(self, place_map: PlaceMap, model: MatchModel, count: int = SECOND_LOOK) -> None:
        """Prepare the comparison on the map's grid."""
        self.model = model
        self.count = count
        self.fields_of_view: dict[int, float] = {}
        self._compare = TokenComparison(place_map.token_grid)
        try:
            self._nothing = model.of_nothing(place_map.token_shape)
        except ValueError as error:
            raise MapError(f'{place_map.path}: its match model does not fit its tokens ({error}): '
                           'build it again') from error
        self._tokens = lru_cache(maxsize=_CACHED)(place_map.tokens)

    @classmethod
    def of(cls, place_map: PlaceMap, count: int) -> SecondLook | None:
        """
        Return a second look, or None where the map allows none or none is wanted.

        :param place_map: open.
        :param count: of candidates; 0 for none.
        :raises MapError: the map is damaged.
        """
        model = place_map.match_model() if count else None
        return cls(place_map, model, count) if model and place_map.has_tokens() else None

    def see_through(self, camera: int, horizontal_fov: float | None) -> None:
        """
        Learn how wide a camera's pictures are.

        :param camera: its index.
        :param horizontal_fov: radians; None where it is not known.
        """
        if horizontal_fov is None:
            self.fields_of_view.pop(camera, None)
        else:
            self.fields_of_view[camera] = horizontal_fov

    def sees_heading(self, camera: int) -> bool:
        """Tell whether the field of view of a camera is known, so that `turn` is."""
        return camera in self.fields_of_view

    def turn(self, columns: float, camera: int) -> float | None:
        """
        Return by which angle the camera is turned against a place's.

        :param columns: of the picture's width, see `Looks`.
        :param camera: index of the camera.
        :returns: radians, counter-clockwise (REP-103); None where its field of view is not
            known.
        """
        field = self.fields_of_view.get(camera)
        if field is None:
            return None
        return -math.atan(2.0 * math.tan(field / 2.0) * columns)

    def nothing(self, tokens: NDArray[np.uint8]) -> float:
        """
        Tell how much a frame looks like none of anything.

        :param tokens: of the frame, uint8 ``[rows*columns, token_bits / 8]``.
        :returns: its highest score with pictures that show nothing, as of places; 0 where it is
            plain at once that it shows something, or none of them are known.
        """
        if not len(self._nothing):
            return 0.0
        apart = hamming_distances(tokens.reshape(1, -1), self._nothing.reshape(
            len(self._nothing), -1))[0] / (8.0 * tokens.size)
        if apart.min() > _SOMETHING:
            return 0.0
        return float(self._compare.scores(tokens, self._nothing[[int(apart.argmin())]])[0])

    def __call__(self, tokens: NDArray[np.uint8], places: Iterable[int]) -> Looks:
        """
        Compare a frame with places; those without tokens are left out.

        :param tokens: of the frame, uint8 ``[rows*columns, token_bits / 8]``.
        :param places: their ids.
        :raises MapError: the map is damaged.
        """
        stored = {int(place): self._tokens(int(place)) for place in places}
        known = {place: found for place, found in stored.items() if found is not None}
        if not known:
            return Looks(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty((0, 2)))
        found = self._compare(tokens, np.stack(list(known.values())))
        return Looks(np.array(list(known), np.int64), found.scores,
                     found.columns / self._compare.grid[1], found.compared)
