# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Geometric verification: one rigid view must explain both pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tetra_vpr_ros.localization.estimate import Candidate, Estimate
from tetra_vpr_ros.localization.mapped_places import turned
from tetra_vpr_ros.localization.observation import Localizer, View
from tetra_vpr_ros.localization.single_frame import SingleFrameLocalizer
from tetra_vpr_ros.localization.wrapping import WrappingLocalizer
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.vision.local_features import LocalFeatures

METHODS = ('none', 'orb', 'homography')
"""Ways to verify: not at all, epipolar geometry, or a plane."""

_TOLERANCE = 3.0e-3  # of a point, as a share of the picture's extent
_AGREEMENT = 6.0     # spacings between a belief and the place that is verified
_FEWEST = 8          # matches below which nothing is fitted
_ITERATIONS = 150    # of MAGSAC: a match that needs more is none worth having
_CACHED = 512        # places whose features are kept in memory
_ENOUGH = {'orb': 35, 'homography': 12}  # inliers that chance does not bring


@dataclass(frozen=True)
class Geometry:
    """
    How two pictures agree.

    :ivar inliers: matches that one view geometry explains.
    :ivar yaw: by which the query looks further to the left, radians; None when the
        camera's intrinsics are not known.
    :ivar camera: that took the query.
    """

    inliers: int
    yaw: float | None = None
    camera: int = 0


def compare(query: LocalFeatures, reference: LocalFeatures, method: str,
            intrinsics: NDArray[np.float64] | None = None,
            reference_intrinsics: NDArray[np.float64] | None = None) -> Geometry:
    """
    Match features mutually and fit a view geometry by MAGSAC (D. Barath et al., 2020).

    :param query: of the frame.
    :param reference: of the place.
    :param method: ``orb`` for an essential (with intrinsics) or fundamental matrix,
        ``homography`` for a plane.
    :param intrinsics: camera matrix ``[3, 3]`` of the frame, pixels.
    :param reference_intrinsics: likewise of the place; None where it is that of the frame.
    :raises ValueError: another method.
    """
    if method not in METHODS[1:]:
        raise ValueError(f"method must be one of {', '.join(METHODS[1:])}, not {method!r}")
    if min(len(query.descriptors), len(reference.descriptors)) < _FEWEST:
        return Geometry(0)
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
    matches = matcher.match(query.descriptors, reference.descriptors)
    if len(matches) < _FEWEST:
        return Geometry(0)
    to = query.keypoints[[match.queryIdx for match in matches]].astype(np.float64)
    start = reference.keypoints[[match.trainIdx for match in matches]].astype(np.float64)
    pixels = _TOLERANCE * float(np.ptp(to, axis=0).max() + 1.0)
    yaw = None
    try:
        if method == 'homography':
            _, mask = cv2.findHomography(start, to, cv2.USAC_MAGSAC, pixels)
        elif intrinsics is None:
            _, mask = cv2.findFundamentalMat(start, to, cv2.USAC_MAGSAC, pixels, 0.99,
                                             _ITERATIONS)
        else:
            to = _rays(to, intrinsics)
            start = _rays(start, intrinsics if reference_intrinsics is None
                          else reference_intrinsics)
            matrix, mask = cv2.findEssentialMat(start, to, np.eye(3), cv2.USAC_MAGSAC, 0.99,
                                                pixels / intrinsics[0, 0], _ITERATIONS)
            if mask is not None and matrix.shape == (3, 3) and mask.sum() >= _ENOUGH['orb']:
                _, rotation, _, _ = cv2.recoverPose(matrix, start, to, np.eye(3),
                                                    mask=mask.copy())
                # The optical frame's y axis points down: turning left turns about -y.
                yaw = float(Rotation.from_matrix(rotation).as_rotvec()[1])
    except cv2.error:  # points on a line, for instance
        return Geometry(0)
    return Geometry(0 if mask is None else int(mask.sum()), yaw)


def _rays(points: NDArray[np.float64], intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points of a picture as a camera with a focal length of one sees them."""
    return (points - intrinsics[:2, 2]) / intrinsics.diagonal()[:2]


class VerifyingLocalizer(WrappingLocalizer):
    """
    Another localizer whose best candidates are looked at again.

    A single frame's candidates are ordered by inliers. A belief keeps its pose;
    it is refused when no candidate, or only one elsewhere, has enough inliers.

    :param inner: the localizer.
    :param place_map: an open map with features; they are read when they are needed.
    :param method: see `compare`.
    :param fewest_inliers: of an accepted match; 0 for what chance hardly ever brings.
    :param looked_at: candidates that are verified.
    :param camera_yaws: of each camera against that of the mapping run, radians.
    :raises MapError: the map has no features.
    :ivar intrinsics: camera matrix of the frames of each camera, ``[3, 3]``, as far as they are
        known.
    """

    def __init__(self, inner: Localizer, place_map: PlaceMap, method: str,
                 fewest_inliers: int = 0, looked_at: int = 10,
                 camera_yaws: Sequence[float] = (0.0,)) -> None:
        """Check that there is something to compare with."""
        if not place_map.has_features():
            raise MapError(f'{place_map.path} has no local features to verify with: build it '
                           "with build_map --features, or set 'verification' to none")
        super().__init__(inner)
        self.method = method
        self.fewest_inliers = fewest_inliers or _ENOUGH[method]
        self.intrinsics: dict[int, NDArray[np.float64]] = {}
        self._looked_at, self._yaws = looked_at, tuple(camera_yaws)
        camera = place_map.camera
        self._mapped_with = None if camera is None else camera.matrix
        self._no_matrix = camera is not None and camera.matrix is None
        self._features = lru_cache(maxsize=_CACHED)(place_map.features)

    def locate(self, views: Sequence[View], stamp_ns: int, odometry: Pose | None = None
               ) -> Estimate:
        """Estimate, then verify; see `Localizer.locate`."""
        estimate = self.inner.locate(views, stamp_ns, odometry)
        looked = estimate.candidates[:self._looked_at]
        if not looked or estimate.pose is None:
            return estimate
        found = [self._best_view(views, candidate) for candidate in looked]
        best = int(np.argmax([geometry.inliers for geometry in found]))
        geometry, candidate = found[best], looked[best]
        if geometry.inliers < self.fewest_inliers:
            return replace(estimate, rejection=estimate.rejection or (
                f'verification: {geometry.inliers} inliers, {self.fewest_inliers} are needed'))
        if isinstance(self.inner, SingleFrameLocalizer):
            order = np.argsort([-g.inliers for g in found], kind='stable')
            ranked = tuple(looked[i] for i in order) + estimate.candidates[self._looked_at:]
            preferred = self.inner.preferring(estimate, candidate) if best else estimate
            return replace(preferred, candidates=ranked,
                           pose=self._facing(candidate.pose, candidate, geometry))
        apart = candidate.pose.distance_to(estimate.pose)
        if estimate.accepted and apart > _AGREEMENT * self.places.spacing:
            return replace(estimate, rejection=f'verification prefers place '
                           f'{candidate.place_id}, {apart:.1f} m away')
        return replace(estimate, pose=self._facing(estimate.pose, candidate, geometry))

    def _best_view(self, views: Sequence[View], candidate: Candidate) -> Geometry:
        reference = self._features(candidate.place_id)
        compared = [replace(compare(view.features, reference, self.method,
                                    None if self._no_matrix else self.intrinsics.get(view.camera),
                                    self._mapped_with), camera=view.camera)
                    for view in views if view.features is not None and reference is not None]
        return max(compared, key=lambda geometry: geometry.inliers, default=Geometry(0))

    def _facing(self, pose: Pose, place: Candidate, geometry: Geometry) -> Pose:
        """Return the pose with the heading that a camera was seen to have against a place."""
        if geometry.yaw is None:
            return pose
        row = int(np.searchsorted(self.table.ids, place.place_id))
        turn = geometry.yaw - self._yaws[geometry.camera]
        return replace(pose, quaternion=turned(self.table.quaternions[row:row + 1], turn)[0])
