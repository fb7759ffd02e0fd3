# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What came of a build."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tetra_vpr_ros.mapping.calibration import MapCalibration


@dataclass
class BuildReport:
    """
    What happened to the frames.

    :ivar interrupted: Ctrl-C stopped the build.
    :ivar damaged: what could not be read of traverses that are mapped only in part.
    :ivar calibration: what the map tells of itself; None where it was not finished.
    :ivar notes: what else a person should know.
    """

    frames: int = 0
    places: int = 0
    not_keyframes: int = 0
    without_pose: int = 0
    undecodable: int = 0
    interrupted: bool = False
    damaged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    total_places: int = 0
    calibration: MapCalibration | None = None

    def add(self, other: BuildReport) -> None:
        """Add what happened to the frames of another traverse."""
        for name in ('frames', 'places', 'not_keyframes', 'without_pose', 'undecodable'):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.interrupted |= other.interrupted
        self.damaged += other.damaged
        self.notes += other.notes

    def summary(self, path: Path) -> str:
        """Return a few lines for a person."""
        lines = [
            f'{self.frames} frames: {self.places} new places, {self.not_keyframes} too close '
            f'to the last place, {self.without_pose} without a pose, '
            f'{self.undecodable} undecodable',
            f'{path}: {self.total_places} places, '
            f'{path.stat().st_size / 1e6:.2f} MB']
        lines += [f'mapped in part: {error}' for error in self.damaged] + self.notes
        if self.interrupted:
            lines.append('interrupted: run the same command with --resume to continue')
        elif self.calibration is not None:
            lines.append(self.calibration.summary())
        return '\n'.join(lines)
