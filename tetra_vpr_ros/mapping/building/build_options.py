# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a map is to be built from, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tetra_vpr_ros.mapping.calibration import Calibration, DEFAULT_FALSE_MATCH_RATE


@dataclass(frozen=True)
class BuildOptions:
    """
    What a map is built from, and how.

    :ivar output: the map file to write.
    :ivar bags: one traverse each.
    :ivar image_topic: None finds it by type.
    :ivar pose_topic: None finds it by type.
    :ivar tf_frames: parent and child frame; poses then come from ``/tf``.
    :ivar model: None for the shipped model.
    :ivar keyframe_distance: metres between places.
    :ivar keyframe_angle: degrees between places.
    :ivar max_pose_gap: seconds between two poses that may be interpolated.
    :ivar thumbnails: store a small picture of each place.
    :ivar features: store local features of each place, for geometric verification.
    :ivar frame_id: of the poses; None takes the parent of ``tf_frames``, else ``map``.
    :ivar resume: continue an interrupted build.
    :ivar append: add traverses to an existing map.
    :ivar threads: of the encoder; 0 for all cores.
    :ivar workers: processes that map a bag each; 0 for as many as there are cores.
    :ivar ray: address of a Ray cluster that maps the bags; ``local`` starts one here.
    """

    output: Path
    bags: tuple[Path, ...] = ()
    image_topic: str | None = None
    pose_topic: str | None = None
    tf_frames: tuple[str, str] | None = None
    model: Path | None = None
    keyframe_distance: float = 0.5
    keyframe_angle: float = 15.0
    max_pose_gap: float = 0.5
    thumbnails: bool = True
    features: bool = False
    frame_id: str | None = None
    resume: bool = False
    append: bool = False
    threads: int = 0
    workers: int = 1
    ray: str | None = None

    def recipe(self) -> dict[str, float]:
        """Return what must stay the same where a build is continued."""
        return {'keyframe_distance': self.keyframe_distance,
                'keyframe_angle': self.keyframe_angle, 'max_pose_gap': self.max_pose_gap}


@dataclass
class BuildReport:
    """
    What happened to the frames.

    :ivar interrupted: Ctrl-C stopped the build.
    :ivar damaged: what could not be read of traverses that are mapped only in part.
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
            lines.append('not calibrated: no two places are more than 5 m apart, so the map '
                         'cannot tell right from wrong matches')
        else:
            threshold = self.calibration.threshold(DEFAULT_FALSE_MATCH_RATE)
            found = self.calibration
            lines.append(
                f'calibrated on {found.samples} places and {found.positives} true pairs '
                f'({found.source}): at a false-match rate of {DEFAULT_FALSE_MATCH_RATE} a single '
                f'frame is accepted up to {threshold} bits, which {found.chance(threshold):.1%} '
                'of the frames off the map would pass')
        return '\n'.join(lines)
