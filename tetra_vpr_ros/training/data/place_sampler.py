# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Batches of places: pictures of each, and places that are apart."""

from __future__ import annotations

import numpy as np
from tetra_vpr_ros.training.data.place_sets import PlaceSet, PlaceSetError
from tetra_vpr_ros.training.data.pool import PoolImage


class PlaceSampler:
    """
    Draws batches of places.

    :param sets: data sets, weighted by their configuration.
    :param places: of a batch.
    :param views: images of a place.
    :param one_set: draw all places of a batch from one data set.
    """

    def __init__(self, sets: list[PlaceSet], places: int, views: int,
                 one_set: bool = False) -> None:
        """Check that there is something to draw from."""
        if not any(len(part) for part in sets):
            raise PlaceSetError('no image is left to train on')
        self.sets = [part for part in sets if len(part)]
        self.places, self.views, self.one_set = places, views, one_set
        weights = np.array([part.config.weight for part in self.sets])
        self._share = weights / weights.sum()

    def draw(self, rng: np.random.Generator) -> list[list[PoolImage]]:
        """
        Draw a batch: for each place its images, the same one twice where there are too few.

        Two places of a batch are far enough apart to count as different.
        """
        batch: list[list[PoolImage]] = []
        taken: set[tuple[int, int]] = set()
        named: set[str] = set()
        of_batch = int(rng.choice(len(self.sets), p=self._share)) if self.one_set else None
        for _ in range(50 * self.places):
            if len(batch) == self.places:
                break
            which = (int(rng.choice(len(self.sets), p=self._share)) if of_batch is None
                     else of_batch)
            part = self.sets[which]
            anchor = int(rng.integers(len(part)))
            if any((which, int(i)) in taken for i in part.perhaps_same(anchor)):
                continue
            if part.labels is not None:  # a webcam whose pictures lie in two sets
                if part.labels[anchor] in named:
                    continue
                named.add(part.labels[anchor])
            others = part.same_place(anchor)
            others = rng.permutation(others[others != anchor])[:self.views - 1]
            chosen = [anchor, *others.tolist()]
            chosen += [anchor] * (self.views - len(chosen))
            taken.update((which, int(i)) for i in chosen)
            batch.append([part.images[i] for i in chosen])
        if len(batch) < 2:
            raise PlaceSetError('the data sets hold fewer than two places that are apart')
        return batch
