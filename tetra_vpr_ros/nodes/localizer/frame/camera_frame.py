# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A camera message on its way, and which of them belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tetra_vpr_ros.nodes.localizer.conversions import nanoseconds
from tetra_vpr_ros.vision import ImageError

Picture = TypeVar('Picture')


@dataclass(frozen=True)
class CameraFrame:
    """A camera message on its way, and when it came (monotonic seconds)."""

    camera: int
    topic: str
    message: Any
    received: float

    @property
    def stamp_ns(self) -> int:
        """Return when the picture was taken."""
        return nanoseconds(self.message.header.stamp)

    def check_stamp(self, now_ns: int, tolerance: float) -> None:
        """
        Refuse a stamp that cannot be.

        :param now_ns: the node's clock; 0 while simulated time has not begun.
        :param tolerance: seconds that a stamp may lie ahead of the clock.
        :raises ImageError: there is no stamp, or it lies in the future.
        """
        if self.stamp_ns <= 0:
            raise ImageError(f'its stamp is {self.stamp_ns} ns: the driver must set header.stamp')
        ahead = (self.stamp_ns - now_ns) / 1e9
        if now_ns and ahead > tolerance:
            raise ImageError(f'its stamp is {ahead:.3f} s in the future: are the clocks in step, '
                             'or is use_sim_time set differently?')


def taken_together(frames: Sequence[tuple[CameraFrame, Picture]], window: float
                   ) -> Iterator[Sequence[tuple[CameraFrame, Picture]]]:
    """
    Yield the frames that were taken at the same time, group by group.

    :param frames: with their pictures, oldest first.
    :param window: seconds after a group's first frame that still count as the same time.
    """
    while frames:
        first = frames[0][0].stamp_ns
        together = [pair for pair in frames if pair[0].stamp_ns - first <= window * 1e9]
        frames = frames[len(together):]
        yield together
