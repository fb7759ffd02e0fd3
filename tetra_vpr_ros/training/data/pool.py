# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Folders of training images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
import logging
import os
from pathlib import Path
import zlib

import cv2
import numpy as np
from tqdm import tqdm

_LOG = logging.getLogger(__name__)
_SUFFIXES = {'.jpg', '.jpeg', '.png'}


@dataclass(frozen=True)
class PoolImage:
    """One training image: where it lies and a name that is the same on every machine."""

    path: Path
    name: str


def find_images(folder: Path, every: int = 1) -> list[PoolImage]:
    """
    List the images below a folder, sorted by name.

    :param folder: searched recursively, through links, too; names are
        ``<folder>/<relative path>``.
    :param every: take every n-th only.
    :raises FileNotFoundError: the folder is missing or holds no image; it is named.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'no such image folder: {folder}')
    found = [PoolImage(path, f'{folder.name}/{path.relative_to(folder).as_posix()}')
             for path in _files(folder) if path.suffix.lower() in _SUFFIXES]
    if not found:
        raise FileNotFoundError(f'no jpg or png below {folder}')
    return sorted(found, key=lambda image: image.name)[::every]


def _files(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder; no folder twice, should a link lead back."""
    known = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in known:
            folders.clear()
            continue
        known.add((status.st_dev, status.st_ino))
        yield from (Path(here) / name for name in files)


def contents(images: Iterable[PoolImage]) -> list[str]:
    """
    Return what tells the pictures from others of their names: length and checksum of their files.

    Of each the first 16 KiB are read, where pictures that differ do; nothing tells one that
    cannot be, which is passed over where it is needed.
    """
    found = []
    for image in images:
        try:
            with image.path.open('rb') as file:
                size = os.fstat(file.fileno()).st_size
                found.append(f'{size}:{zlib.crc32(file.read(1 << 14)):08x}')
        except OSError:
            found.append('')
    return found


def find_pool(folders: Mapping[str, int]) -> list[PoolImage]:
    """
    List the images of several folders, every n-th of each; see `find_images`.

    :raises ValueError: two images have one name.
    """
    found = [image for folder, every in folders.items()
             for image in find_images(Path(folder), every)]
    refuse_namesakes(found)
    return found


def times_shown(images: Sequence[PoolImage], folders: Iterable[str],
                repeat: Mapping[str, int]) -> np.ndarray:
    """
    Say how often an epoch shows each image, int ``[len(images)]``.

    :param images: of `find_pool`.
    :param folders: that they were found in.
    :param repeat: times of a folder's images; once where it names none.
    :raises ValueError: it names a folder that is none of those, or a number below one.
    """
    times = np.ones(len(images), int)
    for folder, count in repeat.items():
        if folder not in folders or count < 1:
            raise ValueError(f'repeat: {{{folder}: {count}}}: name one of the folders '
                             f'{", ".join(folders)} and a number of at least 1')
        times[[image.path.is_relative_to(folder) for image in images]] = count
    return times


def refuse_namesakes(images: Iterable[PoolImage]) -> None:
    """
    Refuse different images of one name, by which caches and regions know them.

    :raises ValueError: there are such; they are named.
    """
    paths: dict[str, Path] = {}
    for image in images:
        other = paths.setdefault(image.name, image.path)
        if other != image.path and other.resolve() != image.path.resolve():
            raise ValueError(f'{other} and {image.path} have one name, {image.name}: rename one '
                             'of the folders')


def read_rgb(path: Path) -> np.ndarray | None:
    """Decode an image to uint8 RGB ``[H, W, 3]``; None, with a warning, if it cannot be."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        _LOG.warning('skipped %s: it does not decode', path)
        return None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def picture_batches(images: Sequence[PoolImage], size: int, title: str
                    ) -> Iterator[list[np.ndarray]]:
    """
    Decode images, with a progress bar; what does not decode is passed over.

    :param images: to be read.
    :param size: of a batch; the last may be smaller.
    :param title: of the bar.
    """
    batch: list[np.ndarray] = []
    for image in tqdm(images, desc=title, unit='img'):
        picture = read_rgb(image.path)
        if picture is not None:
            batch.append(picture)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
