# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""All that a map is asked about itself once its places are in it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from tetra_vpr_ros.mapping.calibration.descriptors import (
    calibrate, Calibration, DEFAULT_FALSE_MATCH_RATE, load_calibration, place_spacing)
from tetra_vpr_ros.mapping.calibration.pairs import OTHER_WAY
from tetra_vpr_ros.mapping.calibration.position_errors import (
    load_position_errors, measure_position_errors, PositionErrors)
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable

_CLEAR, _FAINT = 0.85, 0.75  # token scores that a person is told about


@dataclass(frozen=True)
class MapCalibration:
    """
    What a map has told of itself.

    :ivar descriptors: None where all its views are near each other.
    :ivar errors: None where hardly any place was seen from elsewhere.
    :ivar second_look: its places have patch tokens to be told apart by.
    :ivar asked: False where it was not asked yet, as its build did not end.
    """

    descriptors: Calibration | None
    errors: PositionErrors | None
    second_look: bool
    asked: bool = True

    @classmethod
    def stored(cls, place_map: PlaceMap) -> MapCalibration:
        """
        Return what a map has stored.

        :raises MapError: it is damaged, or an older version stored it.
        """
        return cls(load_calibration(place_map), load_position_errors(place_map),
                   place_map.has_second_look(), 'calibration' in place_map.meta())

    @property
    def judges(self) -> bool:
        """Tell whether a match can be told to be right."""
        return self.second_look or self.descriptors is not None

    def summary(self) -> str:
        """Return one line for a person."""
        found = self.descriptors
        if not self.asked:
            return ('not calibrated yet, as its build did not end: finish it with --resume, or '
                    'run calibrate_map')
        if found is None:
            said = ('all places are at one point, looking one way: ' + (
                'matches are judged by the second look alone' if self.second_look else
                'the map cannot tell right from wrong matches without patch tokens; encode it '
                "with a model that has them, see 'vpr_map reencode'"))
        else:
            by = 'pictures of a drive' if found.source == 'queries' else 'places'
            said = (f'calibrated on {found.samples} {by} and {found.positives} true pairs '
                    f'({found.source}), different places are {found.far:.1f} m or '
                    f'{OTHER_WAY:g} degrees apart')
            if self.second_look:
                said += '; matches are judged by the second look'
            else:
                threshold = found.threshold(DEFAULT_FALSE_MATCH_RATE)
                said += f': at a false-match rate of {DEFAULT_FALSE_MATCH_RATE} a single frame is '
                said += ('never accepted: other places look the same to the last bit'
                         if threshold < 0 else f'accepted up to {threshold} bits, which '
                         f'{found.chance(threshold):.1%} of the frames off the map would pass')
        if self.errors is not None:
            clear, faint = map(self.errors.deviation, (_CLEAR, _FAINT))
            said += f'; from elsewhere clear matches are {clear:.1f} m off, faint ones {faint:.1f}'
        return said


BY_A_DRIVE = ('the calibration by a drive that it had is lost, but for the scale of the '
              'covariance: run calibrate_map --bag again')
"""What a person is told of a map that is asked itself again."""


def by_a_drive(place_map: PlaceMap) -> Calibration | None:
    """Return the calibration of a map that a drive has made, or None; see `calibrate_again`."""
    with suppress(MapError):  # of an older version: it is made anew
        found = load_calibration(place_map)
        return found if found is not None and found.source == 'queries' else None
    return None


def calibrate_again(place_map: PlaceMap, former: Calibration | None) -> MapCalibration:
    """
    Ask a map about itself where its places have changed.

    :param place_map: open for writing.
    :param former: of its places by a drive, with the same model: from it is known how far off
        matches are, which places of one traverse do not tell.
    :raises MapError: the map is damaged or cannot be written.
    """
    found = measure_map(place_map)
    if former is not None and found.descriptors is not None:
        scale = max(former.covariance_scale, found.descriptors.covariance_scale)
        found = replace(found, descriptors=replace(found.descriptors, covariance_scale=scale))
    store_calibration(place_map, found)
    return found


def calibrate_map(place_map: PlaceMap, queries: PlaceTable | None = None) -> MapCalibration:
    """
    Ask a map about itself, and store what it says.

    :param place_map: open for writing.
    :param queries: see `calibrate`.
    :raises MapError: the map is damaged or cannot be written.
    """
    found = measure_map(place_map, queries)
    store_calibration(place_map, found)
    return found


def measure_map(place_map: PlaceMap, queries: PlaceTable | None = None) -> MapCalibration:
    """
    Ask an open map about itself; see `calibrate_map`.

    :raises MapError: it is damaged.
    """
    table, seen = place_map.places(), place_map.has_second_look()
    errors = None
    if seen and len(table):
        spacing = max(place_spacing(table),
                      place_map.keyframes.get('keyframe_distance', 0.0), 0.1)
        errors = measure_position_errors(table, spacing, place_map.tokens, place_map.token_grid)
    return MapCalibration(calibrate(table, queries), errors, seen)


def store_calibration(place_map: PlaceMap, found: MapCalibration) -> None:
    """Store what `measure_map` returned; see `calibrate_map`."""
    place_map.set_meta(
        calibration=found.descriptors.to_meta() if found.descriptors else None,
        position_errors=found.errors.to_meta() if found.errors else None)
