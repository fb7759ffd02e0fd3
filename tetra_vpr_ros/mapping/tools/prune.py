# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A map with fewer places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tetra_vpr_ros.mapping.building.copying import copy_places
from tetra_vpr_ros.mapping.building.keyframes import KeyframeSelector
from tetra_vpr_ros.mapping.calibration import SAME_HEADING
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.mapping.tools.rewriting import place_for, rewritten
from tqdm import tqdm


def prune(path: Path, output: Path, spacing: float = 0.0, angle: float = 15.0,
          redundant: tuple[float, int] | None = None, progress: bool = True,
          notes: list[str] | None = None) -> tuple[int, int]:
    """
    Leave out places.

    :param path: of the map; it may be the output, too.
    :param output: of the new map.
    :param spacing: metres between the places of a traverse that are kept; 0 keeps all.
    :param angle: degrees between them.
    :param redundant: metres and bits: a place that near to an earlier one, looking the
        same way, is left out.
    :param progress: show a bar.
    :param notes: is told what a person should know.
    :returns: places kept and places before.
    :raises MapError: the map cannot be read or written.
    """
    with place_for(output, path) as output, PlaceMap.open_file(path) as place_map:
        place_map.require_sound()
        table = place_map.places()
        keep = _spaced(table, spacing, angle) if spacing else np.ones(len(table), bool)
        if redundant is not None:
            keep[redundant_rows(table, *redundant, progress, keep)] = False
        with rewritten(output, place_map, notes=notes) as new:
            return copy_places(place_map, table, new, keep, None, progress), len(table)


def _spaced(table: PlaceTable, spacing: float, angle: float) -> NDArray[np.bool_]:
    keep = np.zeros(len(table), bool)
    for session in np.unique(table.sessions):
        selector = KeyframeSelector(spacing, angle)
        for row in np.flatnonzero(table.sessions == session):
            pose = table.pose(int(row))
            if selector.wants(pose):
                selector.accept(pose)
                keep[row] = True
    return keep


def redundant_rows(table: PlaceTable, metres: float, bits: int, progress: bool = False,
                   among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """
    Return the rows of places that an earlier one nearby, which is kept, already shows.

    :param table: the map's places.
    :param metres: within which the earlier place lies.
    :param bits: by which the two differ, at most; they look the same way.
    :param progress: show a bar.
    :param among: which places there are, bool ``[n]``; None is all.
    """
    there = np.ones(len(table), bool) if among is None else among
    kept = there.copy()
    tree = cKDTree(table.positions)
    for row in tqdm(np.flatnonzero(there), desc='redundant', unit='place', disable=not progress):
        near = np.array([i for i in tree.query_ball_point(table.positions[row], metres)
                         if i < row and kept[i]], int)
        near = near[np.abs(table.quaternions[near] @ table.quaternions[row]) >= SAME_HEADING]
        if len(near) and hamming_distances(table.descriptors[row:row + 1],
                                           table.descriptors[near]).min() <= bits:
            kept[row] = False
    return np.flatnonzero(there & ~kept)
