# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What came of a build."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tetra_vpr_ros.mapping.calibration import Calibration, DEFAULT_FALSE_MATCH_RATE


@dataclass
class BuildReport:
    """
    What happened to the frames.

    :ivar interrupted: Ctrl-C stopped the build.
    :ivar damaged: what could not be read of traverses that are mapped only in part.
    :ivar second_look: the map's places have patch tokens to be told apart by.
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
    calibration: Calibration | None = None
    second_look: bool = False

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
        elif self.calibration is None:
            lines.append('no two places are more than 5 m apart: ' + (
                'matches are judged by the second look alone' if self.second_look else
                'the map cannot tell right from wrong matches without patch tokens; encode it '
                "with a model that has them, see 'vpr_map reencode'"))
        elif self.second_look:
            found = self.calibration
            lines.append(f'calibrated on {found.samples} places and {found.positives} true pairs '
                         f'({found.source}); matches are judged by the second look')
        else:
            threshold = self.calibration.threshold(DEFAULT_FALSE_MATCH_RATE)
            found = self.calibration
            lines.append(
                f'calibrated on {found.samples} places and {found.positives} true pairs '
                f'({found.source}): at a false-match rate of {DEFAULT_FALSE_MATCH_RATE} a single '
                f'frame is accepted up to {threshold} bits, which {found.chance(threshold):.1%} '
                'of the frames off the map would pass')
        return '\n'.join(lines)
