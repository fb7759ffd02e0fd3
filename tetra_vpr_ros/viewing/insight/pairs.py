# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The pairs of different places of a map that are most alike."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.viewing.insight.look_alikes import LookAlikes

SHOWN = 20
"""Pairs that are listed."""


@dataclass(frozen=True)
class Pair:
    """
    Two different places that look alike.

    :ivar one: row of the table.
    :ivar other: row of the table.
    :ivar score: of their tokens; NaN where the map has none.
    :ivar bits: between them.
    :ivar metres: between them.
    :ivar degrees: by which they look another way.
    """

    one: int
    other: int
    score: float
    bits: int
    metres: float
    degrees: float


def turned_degrees(table: PlaceTable, one: int, other: int) -> float:
    """Return the angle between the views of two places, 0..180 degrees."""
    return math.degrees(table.pose(one).angle_to(table.pose(other)))


def confusable_pairs(table: PlaceTable, looks: LookAlikes, count: int = SHOWN) -> list[Pair]:
    """
    Return the most alike pairs; of many between the same two surroundings only the first.

    :param table: the map's places.
    :param looks: what each looks like.
    :param count: how many, at most.
    """
    if looks.far is None:
        return []
    at, rank = np.nonzero(looks.rows >= 0)
    order = np.argsort(-looks.alike[at, rank], kind='stable')
    found: list[Pair] = []
    ends = np.empty((0, 2, 3))
    for i, k in zip(at[order], rank[order]):
        one, other = sorted((int(looks.asked[i]), int(looks.rows[i, k])))
        pair = table.positions[[one, other]]
        beside = [(np.linalg.norm(ends - way, axis=2) <= looks.far).all(axis=1).any()
                  for way in (pair, pair[::-1])]
        if any(beside):
            continue
        ends = np.concatenate([ends, pair[None]])
        found.append(Pair(one, other, float(looks.scores[i, k]), int(looks.bits[i, k]),
                          float(np.linalg.norm(pair[0] - pair[1])),
                          turned_degrees(table, one, other)))
        if len(found) == count:
            break
    return found
