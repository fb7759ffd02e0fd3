# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What came of a build."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tetra_vpr_ros.mapping.calibration import MapCalibration
from tetra_vpr_ros.mapping.sources.reasons import Reasons


@dataclass
class BuildReport:
    """
    What happened to the frames.

    :ivar interrupted: Ctrl-C stopped the build.
    :ivar damaged: what could not be read of traverses that are mapped only in part.
    :ivar calibration: what the map tells of itself; None where it was not finished.
    :ivar notes: what else a person should know.
    :ivar skipped: why frames were not mapped.
    :ivar blank: of the places, those whose pictures show hardly anything.
    :ivar empty: traverses of which nothing was mapped, and why.
    """

    frames: int = 0
    places: int = 0
    not_keyframes: int = 0
    without_pose: int = 0
    undecodable: int = 0
    interrupted: bool = False
    damaged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: Reasons = field(default_factory=Reasons)
    blank: Reasons = field(default_factory=Reasons)
    empty: list[str] = field(default_factory=list)
    total_places: int = 0
    calibration: MapCalibration | None = None

    def skip(self, reason: str, first: str, count: int = 1) -> None:
        """
        Count frames that were not mapped.

        :param reason: for a person, with how to mend it; numbers do not make it another.
        :param first: where the first of them is from: topic and stamp, or file.
        :param count: how many there are.
        """
        self.skipped.add(f'frames {reason}', first, count)

    def add(self, other: BuildReport) -> None:
        """Add what happened to the frames of another traverse."""
        for name in ('frames', 'places', 'not_keyframes', 'without_pose', 'undecodable'):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.interrupted |= other.interrupted
        self.damaged += other.damaged
        self.notes += other.notes
        self.empty += other.empty
        for own, others in ((self.skipped, other.skipped), (self.blank, other.blank)):
            for found in others.values():
                own.add(found.text, found.first, found.count)

    @property
    def failed(self) -> bool:
        """Tell whether a traverse is not or only in part in the map."""
        return bool(self.damaged or self.empty)

    def details(self) -> list[str]:
        """Return a line for each reason why frames were not mapped, and for all notes."""
        found = [*self.skipped.values(), *self.blank.values()]
        return [*(f'  {reason}' for reason in found), *self.empty,
                *(f'mapped in part: {error}' for error in self.damaged), *self.notes]

    def summary(self, path: Path) -> str:
        """Return a few lines for a person."""
        lines = [
            f'{self.frames} frames: {self.places} new places, {self.not_keyframes} too close '
            f'to the last place, {self.without_pose} without a pose, '
            f'{self.undecodable} undecodable',
            f'{path}: {self.total_places} places, '
            f'{path.stat().st_size / 1e6:.2f} MB', *self.details()]
        if self.interrupted:
            lines.append('interrupted: run the same command with --resume to continue')
        elif self.calibration is not None:
            lines.append(self.calibration.summary())
        return '\n'.join(lines)
