# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What came of the search for the poses of images."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.mapping.sources.pose_track import Origin
from tetra_vpr_ros.mapping.sources.reasons import Reasons

SECOND = 1_000_000_000

# A camera's axes (x right, y down, z forward) in those of a robot (x forward, y left, z up).
OPTICAL: NDArray[np.float64] = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


class Skipped:
    """
    What was left out or completed.

    :ivar images: why an image has no pose, for a person.
    """

    def __init__(self, *, of: Skipped | None = None) -> None:
        """
        Begin with nothing, or with what was skipped before.

        :param of: the lines whose poses are the images'.
        """
        self.images: dict[Path, str] = {}
        self._others: Reasons = Reasons() if of is None else deepcopy(of._others)

    def add(self, reason: str, case: object, count: int = 1) -> None:
        """
        Count what is no image without a pose: a line, or what was completed.

        :param reason: what was wrong and, where that helps, how to mend it.
        :param case: file or line; the first one is told.
        :param count: how many cases, where they are told as one.
        """
        self._others.add(reason, case, count)

    def lines(self) -> list[str]:
        """Return one line for each reason but those of images."""
        return [str(reason) for reason in self._others.values()]

    def images_lines(self) -> list[str]:
        """Return one line for each reason why images have no pose."""
        reasons = Reasons()
        for path, reason in self.images.items():
            reasons.add(f'without a pose: {reason}', path)
        return [str(reason) for reason in reasons.values()]


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
