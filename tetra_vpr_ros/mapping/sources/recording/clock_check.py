# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether camera and poses of a recording are dated by the same clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

from tetra_vpr_ros.mapping.sources.pose_track import TrackError

_LATE = 10_000_000_000  # ns by which an estimate may be late; more is another clock
_NOTED = 1_000_000_000  # ns that are worth a word
_SOME = 3  # images of one stamp that are no accident
_RUNS = 0.1  # of the time in which poses are dated they must be recorded: else they came at once


@dataclass(frozen=True)
class PoseClock:
    """
    The clock by which poses are dated, beside that of the recording.

    :param stamps: of the poses, in the order of recording, nanoseconds.
    :param received: when each was recorded, nanoseconds.
    """

    stamps: Sequence[int]
    received: Sequence[int]

    @property
    def runs(self) -> bool:
        """Tell whether poses came as they were made, and not all at once."""
        if len(self.stamps) < 2:
            return False
        recorded = self.received[-1] - self.received[0]
        return recorded > _RUNS * (max(self.stamps) - min(self.stamps))

    @property
    def shift(self) -> int:
        """Return what leads from the time of recording to the poses', where that is another."""
        if not self.runs:
            return 0
        ahead = int(median(a - b for a, b in zip(self.stamps, self.received)))
        return ahead if abs(ahead) > _LATE else 0

    @staticmethod
    def refuse_stopped(images: Sequence[tuple[int, int]], image_topic: str) -> None:
        """
        Refuse a camera whose driver dates all images alike.

        :param images: stamps of the first and when they were recorded, nanoseconds.
        :param image_topic: of the camera.
        :raises TrackError: it does.
        """
        stamps, received = (set(times) for times in zip(*images))
        if len(stamps) == 1 and len(received) > _SOME:
            raise TrackError(
                f'the stamps of {image_topic} stand still at {images[0][0] / 1e9:.3f} s: take the '
                'times of the recording with --image-time received')

    def check(self, images: Sequence[tuple[int, int]], until: int, image_topic: str) -> str:
        """
        Compare with images that were recorded while poses were.

        :param images: stamps of the first and when they were recorded, nanoseconds.
        :param until: the end of the recording, nanoseconds.
        :param image_topic: of the camera.
        :returns: a word for a person, or nothing.
        :raises TrackError: the images are dated by another clock.
        """
        latest = list(accumulate(self.stamps, max))
        offsets = [stamp - latest[at - 1] for stamp, received in images
                   if (at := bisect_right(self.received, received))]
        if not offsets or not self.runs:
            return ''
        offset = int(median(offsets))
        period = (latest[-1] - latest[0]) // (len(latest) - 1)
        if abs(offset) > _LATE + period:
            (first, received), *_ = images
            raise TrackError(
                f'{image_topic} is dated by another clock than the poses: its images are of '
                f'{first / 1e9:.3f} to about {(first + until - received) / 1e9:.3f} s, the poses '
                f'of {min(self.stamps) / 1e9:.3f} to {latest[-1] / 1e9:.3f} s, '
                f'{offset / 1e9:+.3f} s off; take the times of the recording with '
                '--image-time received, or name other poses')
        if abs(offset) > _NOTED + 2 * period:
            return (f'{image_topic} is dated {offset / 1e9:+.1f} s from the poses that were '
                    'recorded with it: if its clock is another, take --image-time received')
        return ''
