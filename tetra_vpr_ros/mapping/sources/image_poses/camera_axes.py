# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses of a camera, whose axes are right, down and forward, to those of a robot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.mapping.sources.image_poses.posed_images import OPTICAL, Skipped
from tetra_vpr_ros.mapping.sources.image_poses.trajectory import Trajectory

AXES = ('camera', 'slam')
"""Poses of a camera in a frame whose z is up, and in the frame of the first camera."""

_STEP = 0.02   # metres: shorter steps say nothing of the way
_ALONG = 0.8   # of a step, along an axis, for the way to be along it


def turned(trajectory: Trajectory, axes: str | None) -> Trajectory:
    """
    Turn the poses of a camera to x forward; a frame of the first camera to z up.

    :param trajectory: of a robot, or of a camera.
    :param axes: one of `AXES`; None leaves the poses as they are, and notes where the way says
        that they are a camera's.
    """
    if axes is None:
        if _moves_forward_along_z(trajectory.poses):
            skipped = Skipped(of=trajectory.skipped)
            skipped.add("trajectory moves along z of its poses, as a camera's do: put ':camera' "
                        "behind the file where it is a camera's, ':slam' where its frame is the "
                        "first camera's, too", trajectory.path)
            return replace(trajectory, skipped=skipped)
        return trajectory
    world = Rotation.from_matrix(OPTICAL.T if axes == 'slam' else np.eye(3))
    optical = Rotation.from_matrix(OPTICAL)
    return replace(trajectory, poses=[None if pose is None else Pose(
        world.apply(pose.position),
        (world * Rotation.from_quat(pose.quaternion) * optical).as_quat())
        for pose in trajectory.poses])


def _moves_forward_along_z(poses: Sequence[Pose | None]) -> bool:
    known = [pose for pose in poses if pose is not None]
    if len(known) < 2:
        return False
    steps = np.diff([pose.position for pose in known], axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    turns = Rotation.from_quat([pose.quaternion for pose in known[:-1]])
    moved = lengths > _STEP
    own = turns.apply(steps, inverse=True)[moved] / lengths[moved, None]
    return bool(moved.any() and np.median(own[:, 2]) > _ALONG)
