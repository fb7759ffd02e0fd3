# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Label maps of a segmentation, and what the structural branch sees of them.

StructVPR (arXiv 2212.00937) groups classes and encodes a label map one-hot. Here
each group becomes a channel with the share of a cell that it covers; what moves
has a channel of its own, so that the branch can learn to look past it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError
import yaml

GROUPS = ('sky', 'building', 'object', 'road', 'ground', 'vegetation', 'ceiling', 'dynamic')
"""Channels of every encoding; 'dynamic' is what will not be there next time."""

_TABLES: dict[str, dict[int, str]] = {
    'camvid': {0: 'sky', 1: 'building', 2: 'object', 3: 'road', 4: 'ground', 5: 'vegetation',
               6: 'object', 7: 'object', 8: 'dynamic', 9: 'dynamic', 10: 'dynamic'},
    'worlds': {0: 'sky', 1: 'building', 2: 'ground', 3: 'ceiling', 4: 'object', 5: 'dynamic'},
}
_MOST_PIXELS = 50_000_000


class LabelMapError(RuntimeError):
    """A label map or class table that cannot be used; the text names it."""


@dataclass(frozen=True)
class ClassTable:
    """
    Which group a class belongs to.

    :ivar groups: group of each class index; classes that are missing (void) have none.
    """

    groups: Mapping[int, str]

    @classmethod
    def load(cls, name: str) -> ClassTable:
        """
        Return a table by name (``camvid``, ``worlds``) or from a YAML file ``index: group``.

        :raises LabelMapError: there is no such table, or a group is not one of `GROUPS`.
        """
        if name in _TABLES:
            return cls(_TABLES[name])
        path = Path(name)
        if not path.is_file():
            raise LabelMapError(f"no class table {name!r}: use {', '.join(_TABLES)}, or a YAML "
                                'file with lines `index: group`')
        try:
            table = {int(index): str(group)
                     for index, group in yaml.safe_load(path.read_text()).items()}
        except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
            raise LabelMapError(f'{path} is no class table: {error}') from error
        wrong = sorted(set(table.values()) - set(GROUPS))
        if wrong or not all(0 <= index < 256 for index in table):
            raise LabelMapError(f"{path}: groups must be of {', '.join(GROUPS)} and indices 0 to "
                                f'255, not {wrong or sorted(table)}')
        return cls(table)

    def channels(self) -> np.ndarray:
        """Return the channel of each index, int ``[256]``; -1 for none."""
        found = np.full(256, -1)
        for index, group in self.groups.items():
            found[index] = GROUPS.index(group)
        return found


def read_label_map(path: Path) -> np.ndarray:
    """
    Read a label map.

    :param path: indexed or grey PNG.
    :returns: class indices, uint8 ``[H, W]``.
    :raises LabelMapError: it is missing, no such picture, or too large.
    """
    try:
        with Image.open(path) as picture:  # OpenCV would return the palette's colours
            if picture.mode not in ('P', 'L', '1'):
                raise LabelMapError(f'{path} has mode {picture.mode}: an indexed or grey PNG '
                                    'is needed')
            if picture.width * picture.height > _MOST_PIXELS:
                raise LabelMapError(f'{path} has {picture.width}x{picture.height} pixels')
            return np.array(picture, np.uint8)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise LabelMapError(f'{path} is no label map: {error}') from error


def encode_label_map(labels: np.ndarray, table: ClassTable, side: int) -> np.ndarray:
    """
    Encode a label map: how much of each cell each group covers.

    :param labels: class indices, uint8 ``[H, W]``.
    :param table: groups of the classes.
    :param side: cells in both directions.
    :returns: float32 ``[len(GROUPS), side, side]``, 0..1; the sum over the groups is 1 where
        nothing is void.
    """
    channels = table.channels()[labels]
    return np.stack([
        cv2.resize((channels == i).astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
        for i in range(len(GROUPS))])
