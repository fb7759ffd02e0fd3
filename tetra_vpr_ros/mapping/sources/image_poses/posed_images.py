# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What came of the search for the poses of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.mapping.sources.pose_track import Origin
from tetra_vpr_ros.mapping.sources.traverse import kind_of

SECOND = 1_000_000_000
LATEST = 2**62
"""Nanoseconds beyond which no stamp lies: in the year 2116, and a map holds twice as many."""

# A camera's axes (x right, y down, z forward) in those of a robot (x forward, y left, z up).
OPTICAL: NDArray[np.float64] = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


class Skipped:
    """
    What was left out or completed: each reason once, with its count and the first case.

    :ivar images: why an image has no pose, for a person.
    """

    def __init__(self, *, of: Skipped | None = None) -> None:
        """
        Begin with nothing, or with what was skipped before.

        :param of: the lines whose poses are the images'.
        """
        self.images: dict[Path, str] = {}
        self._counts: dict[str, int] = {} if of is None else dict(of._counts)
        self._first: dict[str, str] = {} if of is None else dict(of._first)

    def add(self, reason: str, case: object, count: int = 1) -> None:
        """
        Count what is no image without a pose: a line, or what was completed.

        :param reason: what was wrong and, where that helps, how to mend it.
        :param case: file or line; the first one is told.
        :param count: how many cases, where they are told as one.
        """
        self._counts[reason] = self._counts.get(reason, 0) + count
        self._first.setdefault(reason, str(case))

    def lines(self) -> list[str]:
        """Return one line for each reason but those of images."""
        return [f'{count} {reason}; the first: {self._first[reason]}'
                for reason, count in self._counts.items()]

    def images_lines(self) -> list[str]:
        """Return one line for each reason why images have no pose."""
        counts = Counter(map(kind_of, self.images.values()))
        first = {kind_of(reason): (reason, path)
                 for path, reason in reversed(self.images.items())}
        return [f'{count} without a pose: {first[kind][0]}; the first: {first[kind][1]}'
                for kind, count in counts.items()]


@dataclass(frozen=True)
class PosedImages:
    """
    Images with their poses.

    :ivar stamps: nanoseconds of each image.
    :ivar poses: of each image, None where it has none.
    :ivar paired_by: how images and poses were brought together.
    :ivar skipped: what has no pose, and why; what was completed.
    :ivar origin: of a frame made from GPS.
    """

    stamps: Sequence[int]
    poses: Sequence[Pose | None]
    paired_by: str
    skipped: Skipped
    origin: Origin | None = None

    def notes(self) -> list[str]:
        """Return what a person should know, one line each, but why which image has no pose."""
        found = sum(pose is not None for pose in self.poses)
        return [f'matched {found} of {len(self.poses)} images by {self.paired_by}',
                *self.skipped.lines()]


def completed(stamps: Sequence[int | None]) -> list[int]:
    """
    Return a stamp of its own for every image.

    One without comes right after the one before, and so do the photographs of one second and
    the frames that a rig's cameras took at once.

    :param stamps: nanoseconds; where none is known, images are a second apart.
    """
    if all(stamp is None for stamp in stamps):
        return [i * SECOND for i in range(len(stamps))]
    last = next(stamp for stamp in stamps if stamp is not None) - len(stamps)
    taken: set[int] = set()
    whole = []
    for stamp in stamps:
        last = last + 1 if stamp is None else stamp
        while last in taken:
            last += 1
        taken.add(last)
        whole.append(last)
    return whole


def of_folders(files: Sequence[Path], folder: Path) -> str:
    """Say how many images lie in which folder, where they lie in several."""
    counts: dict[str, int] = {}
    for file in files:
        name = str(file.parent.relative_to(folder))
        counts[name] = counts.get(name, 0) + 1
    if len(counts) < 2:
        return ''
    shown = ', '.join(f'{name}: {count}' for name, count in list(counts.items())[:4])
    return f'; the images lie in {len(counts)} folders ({shown}): name one of them'
