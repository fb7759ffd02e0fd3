# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Descriptors of as many places as are wanted, that lie to each other as real ones do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

# Measured with the shipped model on streets of four towns of the training pool (250 pictures
# each) and on Gardens Point, as shares of the bits: different places are 0.455 apart with a
# deviation of 0.045, consecutive ones 0.23, two later 0.29, five 0.37; the same place from the
# other side of the way 0.31. Independent bits would be 0.5 with a deviation of 0.01.
_DIMENSIONS = 37   # give that deviation
_IN_COMMON = 0.14  # correlation of any two places
_NEXT = 0.72       # of two consecutive ones, beside that
_AGAIN = 0.49      # of two views of one place, beside that

_CHUNK = 10_000    # places that are made at a time

Views = NDArray[np.float32]


class MadeUpWay:
    """
    A way on which views change as they do in the world.

    A view is a point of few dimensions that wanders about; each bit of its descriptor is the
    side of a random plane on which it lies.

    :param bits: of a descriptor, a multiple of 8.
    :param seed: of all that is random.
    :ivar offset: of the planes, ``[bits]``.
    """

    def __init__(self, bits: int, seed: int = 0) -> None:
        """Draw the planes."""
        self._seed = seed
        rng = np.random.default_rng(seed)
        self._planes = rng.standard_normal((_DIMENSIONS, bits), np.float32)
        self.offset = rng.standard_normal(bits, np.float32) * np.float32(
            np.sqrt(_DIMENSIONS * _IN_COMMON / (1.0 - _IN_COMMON)))

    def drive(self, places: int) -> Iterator[Views]:
        """Yield the views of a drive, the same with every call, ``[some, dimensions]``."""
        rng = np.random.default_rng([self._seed, 0])
        last = rng.standard_normal((1, _DIMENSIONS), np.float32)
        for first in range(0, places, _CHUNK):
            new = rng.standard_normal((min(_CHUNK, places - first), _DIMENSIONS), np.float32)
            wander, _ = lfilter([np.sqrt(1.0 - _NEXT**2)], [1.0, -_NEXT], new, axis=0,
                                zi=_NEXT * last)
            last = wander[-1:]
            yield wander.astype(np.float32)

    def again(self, views: Views, seed: int) -> Views:
        """Return views of the same places from the other side of the way."""
        other = np.random.default_rng([self._seed, 1, seed]).standard_normal(
            views.shape, np.float32)
        return np.asarray(_AGAIN * views + np.sqrt(1.0 - _AGAIN**2) * other, np.float32)

    def descriptors(self, views: Views) -> NDArray[np.uint8]:
        """Return what the model would say of views, ``[n, bits / 8]``."""
        return np.packbits(views @ self._planes > self.offset, axis=1, bitorder='little')
