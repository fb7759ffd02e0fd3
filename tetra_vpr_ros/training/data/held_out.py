# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The split that chooses between checkpoints: which images are never trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
import hashlib
from pathlib import Path
import re

from tetra_vpr_ros.training.config_keys import Regex, Share
from tetra_vpr_ros.training.data.place_sets import PlaceSetConfig
from tetra_vpr_ros.training.data.pool import find_images, PoolImage
from tetra_vpr_ros.training.data.positions import read_positions, without_suffix


@dataclass(frozen=True)
class HeldOut:
    """
    Which images are never trained on.

    :ivar patterns: regular expressions searched in the name.
    :ivar share: of all other images. The choice hashes the name, so that it
        never depends on which other folders were given.
    :ivar names: of images in held-out regions, without suffix.
    :ivar files: of the validation's own images, resolved: a name depends on the folder through
        which an image is reached.
    """

    patterns: tuple[str, ...] = ()
    share: float = 0.0
    names: frozenset[str] = frozenset()
    files: frozenset[Path] = frozenset()

    def holds(self, image: PoolImage) -> bool:
        """Tell whether the image is held out, by its name or as a file."""
        return self(image.name) or (bool(self.files) and image.path.resolve() in self.files)

    def others(self, images: Iterable[PoolImage]) -> list[PoolImage]:
        """Return those of some images that may be trained on."""
        return [image for image in images if not self.holds(image)]

    def __call__(self, name: str) -> bool:
        """Tell whether an image of this name is held out."""
        if without_suffix(name) in self.names or any(
                re.search(pattern, name) for pattern in self.patterns):
            return True
        digest = hashlib.sha256(name.encode()).digest()
        return int.from_bytes(digest[:4], 'big') < self.share * 2**32


@dataclass(frozen=True)
class RegionConfig:
    """
    A rectangle of the ground whose pictures are held out.

    :ivar path: folder with a ``positions.csv``.
    :ivar x: least and most of ``x_m`` or ``east_m``.
    :ivar y: of ``y_m`` or ``north_m``.
    """

    path: str = ''
    x: tuple[float, float] = (float('-inf'), float('inf'))
    y: tuple[float, float] = (float('-inf'), float('inf'))

    def names(self) -> set[str]:
        """
        Return the pictures in it, as the pool names them but without suffix.

        :raises ValueError: the positions cannot be read, or none lies in it.
        """
        folder = Path(self.path)
        try:
            positions = read_positions(folder / 'positions.csv')
        except OSError as error:
            raise ValueError(f'validation.regions: {folder}/positions.csv: '
                             f'{error.strerror}') from error
        inside = {f'{folder.name}/{name}' for name, (x, y) in positions.items()
                  if self.x[0] <= x <= self.x[1] and self.y[0] <= y <= self.y[1]}
        if not inside:
            raise ValueError(f'validation.regions: no picture of {folder} lies in x {self.x}, '
                             f'y {self.y}')
        return inside


@dataclass(frozen=True)
class ValidationConfig:
    """
    The split that chooses between checkpoints; none of it is trained on.

    :ivar patterns: regular expressions of image names (``folder/file``).
    :ivar share: of all other images, chosen by a hash of the name.
    :ivar regions: parts of the ground, for folders that say where a picture was taken.
    :ivar places: data sets of places that the patterns and regions hold out.
    """

    patterns: list[Regex] = field(default_factory=list)
    share: Share = 0.0
    regions: list[RegionConfig] = field(default_factory=list)
    places: list[PlaceSetConfig] = field(default_factory=list)

    def held_out(self) -> HeldOut:
        """Return the rule that tells the split from the rest."""
        names = frozenset(name for region in self.regions for name in region.names())
        by_name = HeldOut(tuple(self.patterns), self.share, names)
        folders = {Path(entry.path) for entry in (*self.regions, *self.places)}
        return replace(by_name, files=frozenset(
            image.path.resolve() for folder in folders if folder.is_dir()
            for image in find_images(folder) if by_name(image.name)))
