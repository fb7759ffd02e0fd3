# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A camera that looks straight down: of four quarter turns the one that a place shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization.estimate import Estimate
from tetra_vpr_ros.localization.mapped_places import RADIUS
from tetra_vpr_ros.localization.observation import Localizer, View
from tetra_vpr_ros.localization.wrapping import WrappingLocalizer
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances, nearest_rows
from tetra_vpr_ros.mapping.pose import Pose

_QUARTER = math.pi / 2
_WITHIN_A_QUARTER = _QUARTER**2 / 12       # variances of even distributions
_ANY_HEADING = (2 * math.pi)**2 / 12
_EXACT = 1e-9                              # variance, below any that a map can tell


class DownwardLocalizer(WrappingLocalizer):
    """
    Another localizer, that is shown of each camera only the turn that looks most like a place.

    A quarter turn tells the heading, the second look's shift does not: it is a way to the
    side. The other localizer is told no odometry, because its places do not say which way the
    robot heads: a belief walks by ``max_speed``.

    :param inner: the localizer, whose cameras all count as one heading.
    :param camera_yaws: of each camera against that of the mapping run, radians.
    """

    def __init__(self, inner: Localizer, camera_yaws: Sequence[float] = (0.0,)) -> None:
        """Keep both."""
        super().__init__(inner)
        self._yaws = tuple(camera_yaws)

    def set_prior(self, pose: Pose, covariance: NDArray[np.float64]) -> None:
        """Start from a position: a place is seen whichever way the robot heads."""
        position = np.zeros((6, 6))
        position[:3, :3] = covariance[:3, :3]
        if not (np.diag(position) > 0).any():
            position[0, 0] = position[1, 1] = _EXACT
        self.inner.set_prior(pose, position)

    def locate(self, views: Sequence[View], stamp_ns: int, odometry: Pose | None = None
               ) -> Estimate:
        """
        Estimate from the best turn of each camera, and turn back the heading.

        :param views: of each camera the four turns of one frame.
        """
        if not len(self.table):
            return self.inner.locate(views[:1], stamp_ns)
        found = self._best_turns(views)
        estimate = self.inner.locate([view for _, _, view in found], stamp_ns)
        _, row, view = max(found, key=lambda one: one[0])
        # Seen from above a robot that has turned left sees the ground turned right, which
        # turning the picture left makes up for.
        angle = _QUARTER * view.quarter_turns - self._yaws[view.camera]
        heading, place = _headed(self.table.pose(row), angle), self.table.positions[row]
        covariance, pose = estimate.covariance.copy(), estimate.pose
        if pose is not None:
            apart = float(np.linalg.norm(pose.position - place))
            pose = replace(pose, quaternion=heading.quaternion)
            covariance[5, 5] = max(covariance[5, 5], _WITHIN_A_QUARTER if
                                   apart <= RADIUS * self.places.spacing else _ANY_HEADING)
        return replace(estimate, pose=pose, covariance=covariance, candidates=tuple(
            replace(one, pose=_headed(one.pose, angle)) for one in estimate.candidates))

    def _best_turns(self, views: Sequence[View]) -> list[tuple[float, int, View]]:
        """Return of each camera how alike its best turn is, to which place, and the turn."""
        bits = hamming_distances(np.stack([view.descriptor for view in views]),
                                 self.table.descriptors)
        best: dict[int, tuple[float, int, View]] = {}
        for view, distances in zip(views, bits):
            alike, row = self._most_alike(view, distances)
            if view.camera not in best or alike > best[view.camera][0]:
                best[view.camera] = alike, row, view
        return list(best.values())

    def _most_alike(self, view: View, distances: NDArray[np.int32]) -> tuple[float, int]:
        look = self.second_look
        if look is not None and view.tokens is not None:
            looks = look(view.tokens, self.table.ids[nearest_rows(distances, look.count)])
            if len(looks.ids):  # scores, 0..1, are above any distance
                best = int(np.argmax(looks.scores))
                return (float(looks.scores[best]),
                        int(np.searchsorted(self.table.ids, looks.ids[best])))
        row = int(np.argmin(distances))
        return -float(distances[row]), row


def _headed(pose: Pose, angle: float) -> Pose:
    """Turn a pose about the vertical axis of the map, counter-clockwise, radians."""
    turned = Rotation.from_euler('z', angle) * Rotation.from_quat(pose.quaternion)
    return replace(pose, quaternion=np.asarray(turned.as_quat()))
