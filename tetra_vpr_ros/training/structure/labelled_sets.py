# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Places whose pictures have label maps: what the structural branch is trained and asked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from tetra_vpr_ros.training.config_keys import ConfigError
from tetra_vpr_ros.training.data.held_out import HeldOut
from tetra_vpr_ros.training.data.label_maps import ClassTable, encode_label_map, read_label_map
from tetra_vpr_ros.training.data.place_sets import open_place_set, PlaceSet, PlaceSetConfig
from tetra_vpr_ros.training.data.views import cut_labels

_SIDE = 112


@dataclass(frozen=True)
class LabelledSetConfig:
    """
    Places whose pictures have label maps.

    :ivar places: the data set.
    :ivar labels: folder of label maps (PNG) with the same names.
    :ivar classes: class table: ``camvid``, ``worlds`` or a YAML file.
    """

    places: PlaceSetConfig = field(default_factory=PlaceSetConfig)
    labels: str = ''
    classes: str = 'camvid'


@dataclass(frozen=True)
class LabelledSet:
    """
    Places with label maps.

    :ivar places: the pictures.
    :ivar maps: of each picture, the path of its label map.
    :ivar table: groups of its classes.
    """

    places: PlaceSet
    maps: list[Path]
    table: ClassTable
    _read: dict[int, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.places)

    @property
    def names(self) -> list[str]:
        """Return the names of the pictures."""
        return [image.name for image in self.places.images]

    @property
    def self_supervised(self) -> bool:
        """Tell whether each picture is its own place, for want of labels."""
        return self.places.config.kind == 'images'

    def encoded(self, index: int, side: int, rng: np.random.Generator | None = None,
                cut: np.ndarray | None = None) -> np.ndarray:
        """
        Return an encoded label map, cut at random where there is a source of randomness.

        :param index: of the picture.
        :param side: cells in both directions.
        :param cut: by which its picture was cut, see `random_cut`.
        :returns: float32 ``[groups, side, side]``.
        """
        labels = self._labels(index)
        if cut is not None:
            labels = cut_labels(labels, _SIDE, cut)
        if rng is not None:
            height, width = labels.shape
            left, right, top, bottom = rng.uniform(0, 0.15, 4) * [width, width, height, height]
            labels = labels[int(top):height - int(bottom), int(left):width - int(right)]
        return encode_label_map(labels, self.table, side)

    def _labels(self, index: int) -> np.ndarray:
        """Return a label map small enough to keep all of them in memory."""
        if index not in self._read:
            labels = read_label_map(self.maps[index])
            side = min(_SIDE, *labels.shape)
            self._read[index] = cv2.resize(labels, (side, side), interpolation=cv2.INTER_NEAREST)
        return self._read[index]

    def places_of(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """
        Return the indices of a picture's positives, and of what is perhaps the same place.

        Without labels its only positive is the picture itself, in another view.
        """
        same = self.places.same_place(index)
        if self.self_supervised:
            return same, same
        return same[same != index], self.places.perhaps_same(index)


def open_labelled_sets(sets: Sequence[LabelledSetConfig], held: HeldOut, held_out: bool
                       ) -> list[LabelledSet]:
    """
    Open the data sets of ``structure.sets``.

    :param sets: which.
    :param held: tells the validation split from the rest.
    :param held_out: the validation split, else all but that.
    :raises ConfigError: there is none, or pictures have no label map; the first is named.
    """
    if not sets:
        raise ConfigError('structure.sets names no data set with label maps')
    found = []
    for i, entry in enumerate(sets):
        part = open_place_set(entry.places)
        keep = np.array([held.holds(image) == held_out for image in part.images])
        part = part.subset(keep)
        maps = part.beside(entry.labels)
        missing = [path for path in maps if not path.is_file()]
        if missing:
            raise ConfigError(f'structure.sets[{i}]: {len(missing)} pictures have no label map, '
                              f"the first is {missing[0]}; make them with 'train segment'")
        if len(part):
            found.append(LabelledSet(part, maps, ClassTable.load(entry.classes)))
    if not found:
        raise ConfigError('structure.sets: no picture is '
                          + ('held out by validation.patterns' if held_out else 'left'))
    return found
