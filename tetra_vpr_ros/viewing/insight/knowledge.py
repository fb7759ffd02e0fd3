# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""All that a report says of a map, found out before any of it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization.mapped_places import required_belief
from tetra_vpr_ros.mapping.calibration import (
    DEFAULT_FALSE_MATCH_RATE, MapCalibration, place_spacing, step_bits)
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable, Session
from tetra_vpr_ros.mapping.tools.prune import redundant_rows
from tetra_vpr_ros.viewing.insight.light import Light, light_of
from tetra_vpr_ros.viewing.insight.look_alikes import find_look_alikes, LookAlikes
from tetra_vpr_ros.viewing.insight.pairs import confusable_pairs, Pair
from tetra_vpr_ros.viewing.insight.ways import (
    driven, driven_one_way, Gap, gaps, Stretch, stretches)

SURE = required_belief(DEFAULT_FALSE_MATCH_RATE)
"""Probability from which a match is accepted."""

DOUBT = 0.5
"""Probability below which a single frame would rather be taken for another place."""


@dataclass(frozen=True)
class Redundance:
    """
    Places that another nearby already shows.

    :ivar count: of them.
    :ivar metres: within which they lie of it.
    :ivar bits: by which they differ from it, at most.
    """

    count: int
    metres: float
    bits: int


@dataclass(frozen=True)
class Knowledge:
    """
    What a map knows.

    :ivar path: of the map.
    :ivar table: its places.
    :ivar sessions: its traverses.
    :ivar lights: of each traverse.
    :ivar calibration: None where it has none that this version can read.
    :ivar calibration_told: one line about it.
    :ivar spacing: metres between places.
    :ivar metres: driven.
    :ivar looks: how sure a frame would be, and what it would be mistaken for.
    :ivar pairs: the most confusable places.
    :ivar alike: stretches where a single frame would rather be taken for another place.
    :ivar one_way: stretches driven in one direction only.
    :ivar gaps: where places are missing.
    :ivar redundance: what could be pruned.
    """

    path: Path
    table: PlaceTable
    sessions: list[Session]
    lights: list[Light]
    calibration: MapCalibration | None
    calibration_told: str
    spacing: float
    metres: float
    looks: LookAlikes
    pairs: list[Pair]
    alike: list[Stretch]
    one_way: list[Stretch]
    gaps: list[Gap]
    redundance: Redundance

    @property
    def sure(self) -> NDArray[np.bool_]:
        """Return which of the asked places one frame tells from all others."""
        return np.asarray(self.looks.sure >= SURE)

    @property
    def mistaken(self) -> NDArray[np.bool_]:
        """Return which of the asked places one frame would rather take for another."""
        return np.asarray(self.looks.sure < DOUBT)


def know(place_map: PlaceMap, progress: bool = True) -> Knowledge:
    """
    Find out what a map knows.

    :param place_map: open.
    :param progress: show a bar.
    :raises MapError: the map is damaged, or holds no places.
    """
    table = place_map.places()
    if not len(table):
        raise MapError(f'{place_map.path} holds no places: there is nothing to report')
    calibration, told = None, ''
    try:
        calibration = MapCalibration.stored(place_map)
        told = calibration.summary()
    except MapError as error:
        told = str(error)
    spacing = max(place_spacing(table), 0.1)
    keyframe = max(place_map.keyframes.get('keyframe_distance', 0.0), spacing)
    looks = find_look_alikes(place_map, table, progress)
    sessions = place_map.sessions()
    metres, bits = round(0.5 * spacing, 2), int(step_bits(table))
    return Knowledge(
        place_map.path, table, sessions,
        [light_of(place_map, table, session.number) for session in sessions],
        calibration, told, spacing, driven(table), looks, confusable_pairs(table, looks),
        _look_alike_stretches(table, looks, spacing), driven_one_way(table, spacing),
        gaps(table, keyframe),
        Redundance(len(redundant_rows(table, metres, bits, progress)), metres, bits))


def _look_alike_stretches(table: PlaceTable, looks: LookAlikes, spacing: float) -> list[Stretch]:
    """Join asked places that would be mistaken; a single one is no stretch."""
    steps = np.diff(looks.asked)
    hole = 2 * int(steps.max(initial=1)) + 1
    found = stretches(table, looks.asked[looks.sure < DOUBT], hole)
    return [stretch for stretch in found if stretch.metres >= 2 * spacing]
