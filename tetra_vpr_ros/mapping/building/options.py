# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a map is to be built from, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tetra_vpr_ros.command_line import MOST
from tetra_vpr_ros.mapping.sources.bag_traverse import HEADER, Topics
from tetra_vpr_ros.mapping.sources.pose_track import Origin


@dataclass(frozen=True)
class BuildOptions:
    """
    What a map is built from, and how.

    :ivar output: the map file to write.
    :ivar bags: one traverse each.
    :ivar image_topic: None finds it by type.
    :ivar pose_topic: None finds it by type.
    :ivar tf_frames: parent and child frame; poses then come from ``/tf``.
    :ivar model: None for that of a map that is continued, else the default.
    :ivar keyframe_distance: metres between places.
    :ivar keyframe_angle: degrees between places.
    :ivar max_pose_gap: seconds between two poses that may be interpolated; None takes what their
        rate suggests.
    :ivar tf_topic: of the transforms; None takes those of the camera's namespace.
    :ivar image_time: whose times the images of a bag have, see `bag_traverse.Topics`.
    :ivar thumbnails: store a small picture of each place.
    :ivar features: store local features of each place, for geometric verification.
    :ivar tokens: store the patch tokens of each place, for the second look, where the model
        has them.
    :ivar horizontal_fov: of the camera, degrees; 0 takes what the bag's ``camera_info`` tells.
    :ivar frame_id: of the poses; None takes the parent of ``tf_frames``, else ``map``.
    :ivar resume: continue an interrupted build.
    :ivar append: add traverses to an existing map.
    :ivar threads: that encode a picture each; 0 for as many as there are cores.
    :ivar workers: processes that map a bag each; 0 for as many as there are cores.
    :ivar ray: address of a Ray cluster that maps the bags; ``local`` starts one here.
    :ivar origin: of the frame of GPS positions; None takes that of the map, else the first.
    """

    output: Path
    bags: tuple[Path, ...] = ()
    image_topic: str | None = None
    pose_topic: str | None = None
    tf_frames: tuple[str, str] | None = None
    model: Path | None = None
    keyframe_distance: float = 0.5
    keyframe_angle: float = 15.0
    max_pose_gap: float | None = None
    tf_topic: str | None = None
    image_time: str = HEADER
    thumbnails: bool = True
    features: bool = False
    tokens: bool = True
    horizontal_fov: float = 0.0
    frame_id: str | None = None
    resume: bool = False
    append: bool = False
    threads: int = 0
    workers: int = 1
    ray: str | None = None
    origin: Origin | None = None

    def __post_init__(self) -> None:
        """
        Check what a map would keep.

        :raises ValueError: a distance or an angle is negative, not finite or beyond `MOST`, or
            the frame has a name that tf2 refuses.
        """
        for name in ('keyframe_distance', 'keyframe_angle'):
            if not 0.0 <= getattr(self, name) <= MOST:
                raise ValueError(f'{name} must lie between 0 and {MOST}, not '
                                 f'{getattr(self, name)}')
        if self.frame_id is not None and self.frame_id.startswith('/'):
            raise ValueError(f"frame_id must not begin with '/', which tf2 refuses: "
                             f'{self.frame_id!r}')

    def topics(self) -> Topics:
        """Return what of each bag is to be read."""
        return Topics(self.image_topic, self.pose_topic, self.tf_frames, self.tf_topic,
                      self.image_time, self.max_gap)

    @property
    def max_gap(self) -> int | None:
        """Return nanoseconds between two poses that may be interpolated."""
        return None if self.max_pose_gap is None else int(self.max_pose_gap * 1e9)

    @property
    def poses(self) -> str:
        """Return what the poses are asked from; empty where the bag is to tell."""
        return ' '.join(self.tf_frames or ()) or self.pose_topic or ''

    def recipe(self) -> dict[str, float]:
        """Return what must stay the same where a build is continued."""
        recipe = {'keyframe_distance': self.keyframe_distance,
                  'keyframe_angle': self.keyframe_angle}
        if self.max_pose_gap is not None:
            recipe['max_pose_gap'] = self.max_pose_gap
        if self.image_time != HEADER:
            recipe['image_time_received'] = 1.0
        return recipe
