# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Batches of places: pictures of each, and places that are apart."""

from __future__ import annotations

from collections.abc import Sequence

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
    :param alike: of each image of each set the images of other places that look like it, as
        `look_alikes` says; empty where nothing does.
    :param alike_share: of batches whose places look like the first of them.
    """

    def __init__(self, sets: list[PlaceSet], places: int, views: int, one_set: bool = False,
                 alike: Sequence[np.ndarray] = (), alike_share: float = 0.0) -> None:
        """Check that there is something to draw from."""
        if not any(len(part) for part in sets):
            raise PlaceSetError('no image is left to train on')
        self._alike = [near for part, near in zip(sets, alike) if len(part)]
        self._alike_share = alike_share if alike else 0.0
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
        hard = bool(self._alike_share) and rng.random() < self._alike_share
        of_batch = (int(rng.choice(len(self.sets), p=self._share)) if self.one_set or hard
                    else None)
        wanted: list[int] = []
        for _ in range(50 * self.places):
            if len(batch) == self.places:
                break
            which = (int(rng.choice(len(self.sets), p=self._share)) if of_batch is None
                     else of_batch)
            part = self.sets[which]
            anchor = wanted.pop() if wanted else int(rng.integers(len(part)))
            if hard and not batch:
                near = self._alike[which][anchor]
                wanted = rng.permutation(near[near >= 0]).tolist()
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
