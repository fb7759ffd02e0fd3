# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames with poses, one after the other: what a map is built from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.vision.decoding import Image


@dataclass(frozen=True)
class Frame:
    """
    One picture, not decoded yet.

    :ivar stamp_ns: nanoseconds.
    :ivar pose: of the robot, or None where it is not known.
    :ivar decode: returns RGB uint8 ``[H, W, 3]``; raises ImageError.
    :ivar where: it is from, topic and stamp or file, for a person.
    :ivar missing: why the pose is not known, for a person.
    """

    stamp_ns: int
    pose: Pose | None
    decode: Callable[[], Image]
    where: str = ''
    missing: str = ''


class Traverse(Protocol):
    """
    One drive along a way.

    :ivar source: by which a map knows it again.
    :ivar camera: None where it is not known.
    :ivar problems: what could not be read so far.
    """

    source: str
    camera: Camera | None
    problems: list[str]

    @property
    def name(self) -> str:
        """Return what a person calls it."""

    @property
    def length(self) -> int:
        """Return the number of frames."""

    def frames(self) -> Iterator[Frame]:
        """Yield the frames, always in the same order; see `problems` afterwards."""
