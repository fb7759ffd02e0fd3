# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses of a camera, whose axes are right, down and forward, to those of a robot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.mapping.sources.image_poses.posed_images import OPTICAL, Skipped
from tetra_vpr_ros.mapping.sources.image_poses.trajectory import Trajectory
from tetra_vpr_ros.mapping.sources.pose_track import moves_along_z

AXES = ('camera', 'slam')
"""Poses of a camera in a frame whose z is up, and in the frame of the first camera."""


def turned(trajectory: Trajectory, axes: str | None) -> Trajectory:
    """
    Turn the poses of a camera to x forward; a frame of the first camera to z up.

    :param trajectory: of a robot, or of a camera.
    :param axes: one of `AXES`; None leaves the poses as they are, and notes where the way says
        that they are a camera's.
    """
    if axes is None:
        known = [pose for pose in trajectory.poses if pose is not None]
        if moves_along_z(np.array([pose.position for pose in known]),
                         np.array([pose.quaternion for pose in known])):
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
