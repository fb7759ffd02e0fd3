# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The speeds at which a robot may be passing places, of those where it may well be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPEEDS = 9
"""Speeds that are held at once, from full reverse to full ahead."""

HELD = 50_000
"""Places whose speeds are held at once: of smaller maps all, of larger ones those with belief."""

_BESIDE = 2  # places about those with belief, for what steps to a neighbour


class HeldSpeeds:
    """
    Belief by place and speed, of some of the places.

    Nine numbers a place would be most of the memory of a large map, whose belief is in few
    places. All others share one distribution over the speeds.

    :param size: places.
    :param breaks: places that do not follow the one before them in a traverse, ascending.
    :ivar rows: of the places that are held, ascending, int64 ``[k]``.
    :ivar mass: their belief by speed, float32 ``[SPEEDS, k]``.
    :ivar rest: share of each speed in the belief of all others, ``[SPEEDS]``.
    """

    def __init__(self, size: int, breaks: NDArray[np.int64]) -> None:
        """Hold none."""
        self._size, self._breaks = size, breaks
        self.forget()

    def forget(self) -> None:
        """Hold none: every speed is as likely as another."""
        self.rows: NDArray[np.int64] = np.empty(0, np.int64)
        self.mass: NDArray[np.float32] = np.empty((SPEEDS, 0), np.float32)
        self.rest = np.full(SPEEDS, 1.0 / SPEEDS)

    @property
    def whole(self) -> bool:
        """Tell whether all places are held."""
        return len(self.rows) == self._size

    def most(self, reach: int) -> int:
        """Return how many places with belief can be held where each may go so far."""
        return HELD // (2 * (reach + _BESIDE) + 1)

    def hold(self, belief: NDArray[np.float32], active: NDArray[np.int64], reach: int) -> None:
        """
        Choose the places that are held from now on; those that were keep their speeds.

        :param belief: in every place, ``[n]``.
        :param active: places with belief, see `most`; of a small map all are held in any case.
        :param reach: places that belief may go along a traverse in this step.
        """
        if self.whole:
            return
        if self._size <= HELD:
            rows = np.arange(self._size)
        else:
            chosen = np.zeros(self._size, bool)
            for off in range(-reach - _BESIDE, reach + _BESIDE + 1):
                chosen[np.clip(active + off, 0, self._size - 1)] = True
            rows = np.flatnonzero(chosen)
        mass = belief[rows] * self.rest.astype(np.float32)[:, None]
        at, known = self.find(rows, self.rows)
        mass[:, known] = self.mass[:, at[known]]
        self.rows, self.mass = rows, mass

    def find(self, places: NDArray[np.integer], among: NDArray[np.int64] | None = None
             ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """
        Look up places.

        :param places: ``[m]``.
        :param among: ascending places; None for those that are held.
        :returns: index of each, and whether it is there, ``[m]``.
        """
        if among is None and self.whole:
            return places.astype(np.int64), np.ones(len(places), bool)
        rows = self.rows if among is None else among
        if not len(rows):
            return np.zeros(len(places), np.int64), np.zeros(len(places), bool)
        at = np.minimum(np.searchsorted(rows, places), len(rows) - 1)
        return at, rows[at] == places

    def shift(self, ways: NDArray[np.int64]) -> None:
        """
        Move the belief of each speed along the traverses; what passes an end is lost.

        :param ways: places of each speed, ``[SPEEDS]``.
        """
        if not ways.any():
            return
        bounds = np.concatenate([[0], self._breaks, [self._size]])
        traverse = np.searchsorted(bounds, self.rows, side='right')
        before, behind = self.rows - bounds[traverse - 1], bounds[traverse] - 1 - self.rows
        for layer, way in zip(self.mass, ways.tolist()):
            if way:
                self._shift(layer, way, before if way > 0 else behind)

    def _shift(self, mass: NDArray[np.float32], way: int, room: NDArray[np.int64]) -> None:
        """Move one layer in place; ``room``: places of the traverse that each comes after."""
        far, moved = abs(way), mass.copy()
        if far < len(mass):
            # Beyond what is held all is even: from there comes what goes there.
            apart = self.rows[far:] - self.rows[:-far]
            ahead, back = (moved[far:], mass[:-far]) if way > 0 else (moved[:-far], mass[far:])
            np.copyto(ahead, back, where=apart == far)
        moved[room < far] = 0.0  # nothing crosses from one traverse into the next
        mass[:] = moved
