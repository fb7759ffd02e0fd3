# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The track of one frame in another, through a tree of transforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.sources.pose_track import PoseTrack, TrackError


@dataclass
class TransformBuffer:
    """
    Transforms of ``/tf`` and ``/tf_static`` of a bag.

    `chain` then gives the track of one frame in another, through any edges.
    """

    _edges: dict[tuple[str, str], list[tuple[int, tuple[float, ...]]]] = field(
        default_factory=dict)
    _static: dict[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)

    def add(self, parent: str, child: str, stamp: int, transform: Sequence[float],
            static: bool = False) -> None:
        """Add one transform: x y z qx qy qz qw of the child in the parent."""
        key = (parent.lstrip('/'), child.lstrip('/'))
        if static:
            self._static[key] = tuple(transform)
        else:
            self._edges.setdefault(key, []).append((stamp, tuple(transform)))

    def frames(self) -> list[str]:
        """Return all frame names."""
        return sorted({name for key in (*self._edges, *self._static) for name in key})

    def chain(self, source: str, target: str, max_gap: int) -> PoseTrack:
        """
        Return the track of frame ``target`` in frame ``source``.

        The track has a pose at each stamp of the chain's moving edges at which
        all of its edges can be interpolated.

        :raises TrackError: a frame is unknown or the two are not connected; the
            known frames are listed.
        """
        path = self._path(source.lstrip('/'), target.lstrip('/'))
        tracks: dict[tuple[str, str], PoseTrack] = {}
        for key, _ in path:
            if key in self._edges:
                stamps, values = zip(*self._edges[key])
                rows = np.asarray(values, np.float64)
                tracks[key] = PoseTrack(list(stamps), rows[:, :3], rows[:, 3:])
        if tracks:
            times = np.unique(np.concatenate([track.stamps for track in tracks.values()]))
        else:
            times = np.zeros(1, np.int64)
        kept, positions, quaternions = [], [], []
        for stamp in times:
            pose = self._compose(path, tracks, int(stamp), max_gap)
            if pose is not None:
                kept.append(int(stamp))
                positions.append(pose[0])
                quaternions.append(pose[1].as_quat())
        if not kept:
            raise TrackError(
                f'the transforms from {source!r} to {target!r} never overlap in time within '
                f'{max_gap / 1e9:g} s')
        return PoseTrack(kept, np.array(positions), np.array(quaternions))

    def _compose(self, path: list[tuple[tuple[str, str], bool]],
                 tracks: dict[tuple[str, str], PoseTrack], stamp: int,
                 max_gap: int) -> tuple[NDArray[np.float64], Rotation] | None:
        position, rotation = np.zeros(3), Rotation.identity()
        for key, forward in path:
            if key in tracks:
                pose = tracks[key].at(stamp, max_gap)
                if pose is None:
                    return None
                step, turn = pose.position, Rotation.from_quat(pose.quaternion)
            else:
                values = np.asarray(self._static[key], np.float64)
                step, turn = values[:3], Rotation.from_quat(values[3:])
            if not forward:
                turn = turn.inv()
                step = -turn.apply(step)
            position = position + rotation.apply(step)
            rotation = rotation * turn
        return position, rotation

    def _path(self, source: str, target: str) -> list[tuple[tuple[str, str], bool]]:
        """Find the edges from source to target; False marks those walked backwards."""
        known = self.frames()
        for name in (source, target):
            if name not in known:
                raise TrackError(f'no transform has the frame {name!r}; there are: '
                                 f"{', '.join(known) or 'none'}")
        routes: dict[str, list[tuple[tuple[str, str], bool]]] = {source: []}
        queue = [source]
        while queue and target not in routes:
            here = queue.pop(0)
            for key in sorted({*self._edges, *self._static}):
                for one, other, forward in ((*key, True), (*key[::-1], False)):
                    if one == here and other not in routes:
                        routes[other] = [*routes[here], (key, forward)]
                        queue.append(other)
        if target not in routes:
            raise TrackError(f'{source!r} and {target!r} are not connected by transforms; '
                             f"frames: {', '.join(known)}")
        return routes[target]
