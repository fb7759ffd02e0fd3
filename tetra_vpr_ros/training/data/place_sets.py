# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Data sets that say which images show the same place.

Seven kinds: ``gsv`` (GSV-Cities: ``Dataframes/*.csv`` and ``Images/<city>/``),
``utm`` (names ``@east@north@…@heading@…@.jpg``, as the VPR dataset tools and our
simulated worlds write them), ``poses`` (a ``poses.csv`` with ``name,x,y`` and
maybe ``yaw`` in radians), ``frames`` (numbered frames of sequences), ``labels``
(the place stands in the name, or in a table beside the images), ``pairs`` (a
table of verified pairs, see `pair_set`) and ``images`` (no labels: every image is
its own place, seen only through synthetic changes).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Literal

import numpy as np
from tetra_vpr_ros.training.config_keys import Count, NotNegative, Positive, Regex
from tetra_vpr_ros.training.data.pair_set import pair_groups, pair_positions, read_pairs
from tetra_vpr_ros.training.data.pool import find_images, PoolImage
from tetra_vpr_ros.vision.image_files import ViewName


_GROUPS = {'frames': ('sequence', 'frame'), 'labels': ('place',)}
"""What a pattern must name."""


class PlaceSetError(RuntimeError):
    """A data set that cannot be used; the text names folder or file."""


@dataclass(frozen=True)
class PlaceSetConfig:
    """
    One data set.

    :ivar kind: see the module.
    :ivar path: its folder.
    :ivar pattern: regular expression of the name within the folder: for
        ``frames`` with the groups ``sequence`` and ``frame``, for ``labels``
        with the group ``place``.
    :ivar file: table in the folder: of ``pairs`` (``pairs.csv`` unless named), or of
        ``labels``, whose first two columns are image and place. One place may stand in
        several sets of labels.
    :ivar radius: images at most this far apart show one place: metres, or frames.
    :ivar apart: images at least this far apart show two; 0 means three radii. Of ``pairs``
        those that are not linked and at least this far apart.
    :ivar heading: largest difference of heading within a place, degrees.
    :ivar weight: how often the set is drawn from, against the others.
    :ivar every: take every n-th image only.
    :ivar depth: folder of depth maps of the images of ``utm``, with the same names, see
        `scene_points`; empty where there are none.
    """

    kind: Literal['gsv', 'utm', 'poses', 'frames', 'labels', 'pairs', 'images'] = 'images'
    path: str = ''
    pattern: Regex = ''
    file: str = ''
    radius: NotNegative = 2.0
    apart: NotNegative = 0.0
    heading: NotNegative = 40.0
    weight: Positive = 1.0
    every: Count = 1
    depth: str = ''

    def __post_init__(self) -> None:
        """Check that a pattern says what its kind needs."""
        asked = self.pattern and not self.file  # a table of labels knows the places
        needed = _GROUPS.get(self.kind, ()) if asked else ()
        missing = [group for group in needed if group not in re.compile(self.pattern).groupindex]
        if missing:
            raise ValueError(f'the pattern {self.pattern!r} has no group {missing[0]!r}, as '
                             f'(?P<{missing[0]}>…), which {self.kind} needs')


class PlaceSet:
    """
    Images with positions in groups: only images of one group can show one place.

    :ivar images: the images.
    :ivar group: int ``[n]``.
    :ivar position: float ``[n, d]``.
    :ivar heading: float ``[n]`` in degrees; NaN where unknown.
    :ivar pairs: of images that show one place, int ``[pairs, 2]``, where they alone tell.
    :ivar labels: names of the places ``[n]``, where they have some.
    """

    def __init__(self, config: PlaceSetConfig, images: list[PoolImage], group: np.ndarray,
                 position: np.ndarray, heading: np.ndarray,
                 pairs: np.ndarray | None = None, labels: np.ndarray | None = None) -> None:
        """Index the images by group."""
        self.config, self.pairs, self.labels = config, pairs, labels
        self.images = images
        self.group, self.position, self.heading = group, position, heading
        order = np.argsort(group, kind='stable')
        values, starts = np.unique(group[order], return_index=True)
        self._members = dict(zip(values.tolist(), np.split(order, starts[1:])))
        self._partners: dict[int, list[int]] = {}
        for a, b in () if pairs is None else pairs.tolist():
            self._partners.setdefault(a, [a]).append(b)
            self._partners.setdefault(b, [b]).append(a)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def _near(self, index: int, distance: float, heading: float) -> np.ndarray:
        members = self._members[int(self.group[index])]
        apart = np.linalg.norm(self.position[members] - self.position[index], axis=1)
        turn = np.abs((self.heading[members] - self.heading[index] + 180) % 360 - 180)
        return members[(apart <= distance) & ~(turn > heading)]

    def same_place(self, index: int) -> np.ndarray:
        """Return the images that show the place of an image, itself among them."""
        if self.pairs is not None:
            return np.unique(self._partners.get(index, [index]))
        return self._near(index, self.config.radius, self.config.heading)

    def perhaps_same(self, index: int) -> np.ndarray:
        """Return the images that cannot serve as another place."""
        apart = self.config.apart or 3 * self.config.radius
        if self.pairs is not None:
            linked = self._members[int(self.group[index])]
            away = np.linalg.norm(self.position - self.position[index], axis=1)
            return np.union1d(linked, np.flatnonzero(away < apart))
        return self._near(index, apart, 360.0)

    def beside(self, folder: str) -> list[Path]:
        """Return where a folder of maps has that of each image: a PNG of its name."""
        return [(Path(folder) / image.path.relative_to(self.config.path)).with_suffix('.png')
                for image in self.images]

    def subset(self, keep: np.ndarray) -> PlaceSet:
        """Return the set of the images where ``keep`` (bool ``[n]``) is True."""
        images = [image for image, kept in zip(self.images, keep) if kept]
        pairs = self.pairs
        if pairs is not None:
            pairs = (np.cumsum(keep) - 1)[pairs[keep[pairs].all(1)]]
        return PlaceSet(self.config, images, self.group[keep], self.position[keep],
                        self.heading[keep], pairs,
                        None if self.labels is None else self.labels[keep])


def open_place_set(config: PlaceSetConfig) -> PlaceSet:
    """
    Read the names, labels and poses of a data set; no image is opened.

    :raises PlaceSetError: the folder or its labels cannot be used.
    """
    folder = Path(config.path)
    reader = {'gsv': _gsv, 'utm': _utm, 'poses': _poses, 'frames': _frames,
              'labels': _labels, 'pairs': _pairs, 'images': _images}[config.kind]
    try:
        images, groups, position, heading = reader(folder, config)
    except (FileNotFoundError, ValueError) as error:
        raise PlaceSetError(str(error)) from error
    if not images:
        raise PlaceSetError(f'{folder} holds no image of kind {config.kind!r}')
    pairs = np.asarray(groups) if config.kind == 'pairs' else None
    group = (np.unique(np.array([str(g) for g in groups]), return_inverse=True)[1]
             if pairs is None else pair_groups(pairs, len(images)))
    whole = PlaceSet(config, images, group,
                     np.asarray(position, np.float64).reshape(len(images), -1),
                     np.asarray(heading, np.float64), pairs,
                     np.array(groups) if config.kind == 'labels' else None)
    return whole.subset(np.arange(len(images)) % config.every == 0)


_Read = tuple[list[PoolImage], list, np.ndarray, np.ndarray]


def _gsv(folder: Path, config: PlaceSetConfig) -> _Read:
    """Read GSV-Cities: a place is a ``place_id`` of a city."""
    tables = sorted((folder / 'Dataframes').glob('*.csv'))
    if not tables:
        raise PlaceSetError(f'{folder} has no Dataframes/*.csv: is it GSV-Cities?')
    images, groups = [], []
    for table in tables:
        with table.open(newline='') as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                try:
                    name = (f"{row['city_id']}_{int(row['place_id']) % 10**5:07d}_"
                            f"{int(row['year']):04d}_{int(row['month']):02d}_"
                            f"{int(row['northdeg']):03d}_{row['lat']}_{row['lon']}_"
                            f"{row['panoid']}.JPG")
                except (KeyError, ValueError, TypeError) as error:
                    raise PlaceSetError(f'{table}, line {number}: {error}') from error
                path = folder / 'Images' / row['city_id'] / name
                images.append(PoolImage(path, path.relative_to(folder.parent).as_posix()))
                groups.append(f"{row['city_id']} {row['place_id']}")
    count = len(images)
    return images, groups, np.zeros((count, 1)), np.full(count, np.nan)


def _utm(folder: Path, config: PlaceSetConfig) -> _Read:
    images, position, heading = [], [], []
    for image in find_images(folder):
        name = ViewName.of(image.path.name)
        if name.east is None or name.north is None:
            raise PlaceSetError(f'{image.path} is not named @utm_east@utm_north@…')
        images.append(image)
        position.append((name.east, name.north))
        heading.append(np.nan if name.heading is None else name.heading)
    return images, [0] * len(images), np.array(position), np.array(heading)


def _poses(folder: Path, config: PlaceSetConfig) -> _Read:
    table = folder / 'poses.csv'
    if not table.is_file():
        raise PlaceSetError(f'{folder} has no poses.csv (name,x,y and maybe z, yaw, world)')
    images, groups, position, heading = [], [], [], []
    with table.open(newline='', encoding='utf-8-sig') as file:  # spreadsheets write a mark
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                path = _picture(folder, row['name'])
                position.append((float(row['x']), float(row['y']), float(row.get('z') or 0)))
                heading.append(np.degrees(float(row['yaw'])) if row.get('yaw') else np.nan)
            except (KeyError, ValueError, TypeError) as error:
                raise PlaceSetError(f'{table}, line {number}: {error!r}') from error
            if not np.isfinite(position[-1]).all():
                raise PlaceSetError(f"{table}, line {number}: {row['name']} is at no finite "
                                    'position: leave it out')
            images.append(PoolImage(path, f"{folder.name}/{row['name']}"))
            groups.append(row.get('world') or '')
    return images, groups, np.array(position), np.array(heading)


def _picture(folder: Path, name: str) -> Path:
    """Return the file of a picture, whose name may lack its suffix."""
    path = folder / name
    found = (path.with_name(path.name + suffix) for suffix in ('.jpg', '.jpeg', '.png'))
    return path if path.is_file() else next((one for one in found if one.is_file()), path)


def _frames(folder: Path, config: PlaceSetConfig) -> _Read:
    expression = re.compile(config.pattern or r'(?P<sequence>.*?)(?P<frame>\d+)\.\w+$')
    images, groups, position = [], [], []
    for image in find_images(folder):
        match = expression.search(image.path.relative_to(folder).as_posix())
        if match is not None:
            images.append(image)
            groups.append(match['sequence'])
            position.append(float(match['frame']))
    return images, groups, np.array(position), np.full(len(images), np.nan)


def _labels(folder: Path, config: PlaceSetConfig) -> _Read:
    expression = re.compile(config.pattern or r'(?P<place>[^/]+)__')
    table = _label_table(folder / config.file) if config.file else None
    images, groups = [], []
    for image in find_images(folder):
        name = image.path.relative_to(folder).as_posix()
        match = expression.search(name)
        place = (table.get(name) if table is not None
                 else match['place'] if match is not None else None)
        if place is not None:
            images.append(image)
            groups.append(place.lower())
    return images, groups, np.zeros((len(images), 1)), np.full(len(images), np.nan)


def _label_table(path: Path) -> dict[str, str]:
    """Read the first two columns of a table, image and place, below a line of headings."""
    try:
        with path.open(newline='') as file:
            rows = list(csv.reader(file))[1:]
        return {row[0]: row[1] for row in rows}
    except (OSError, IndexError) as error:
        raise PlaceSetError(f'{path} is no table of images and places: {error}') from error


def _pairs(folder: Path, config: PlaceSetConfig) -> _Read:
    """Read images and positions; the pairs stand for the groups, which follow from them."""
    images = find_images(folder)
    pairs = read_pairs(folder / (config.file or 'pairs.csv'), images, folder)
    return (images, pairs.tolist(), pair_positions(images, folder),
            np.full(len(images), np.nan))


def _images(folder: Path, config: PlaceSetConfig) -> _Read:
    images = find_images(folder)
    count = len(images)
    return images, list(range(count)), np.zeros((count, 1)), np.full(count, np.nan)
