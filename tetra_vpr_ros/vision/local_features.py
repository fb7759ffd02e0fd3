# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Binary local features, for geometric verification."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.vision.decoding import Image

_COUNT = 300
_LONG_SIDE = 640
_FEWEST_PIXELS = 8  # along a side: in less OpenCV finds nothing, or fails


@dataclass(frozen=True)
class LocalFeatures:
    """
    ORB keypoints of an image (E. Rublee et al., ICCV 2011).

    :ivar keypoints: x y in pixels of the whole image, float32 ``[n, 2]``.
    :ivar descriptors: uint8 ``[n, 32]``.
    """

    keypoints: NDArray[np.float32]
    descriptors: NDArray[np.uint8]

    def to_blobs(self) -> tuple[bytes, bytes]:
        """Return keypoints (little-endian float32) and descriptors as they are stored."""
        return self.keypoints.astype('<f4').tobytes(), self.descriptors.tobytes()

    @classmethod
    def from_blobs(cls, keypoints: bytes, descriptors: bytes) -> LocalFeatures:
        """
        Restore what `to_blobs` returned.

        :raises ValueError: the sizes do not fit each other, or a keypoint is not finite.
        """
        points = np.frombuffer(keypoints, '<f4').reshape(-1, 2).astype(np.float32)
        codes = np.frombuffer(descriptors, np.uint8).reshape(-1, 32)
        if len(points) != len(codes):
            raise ValueError(f'{len(points)} keypoints, but {len(codes)} descriptors')
        if not np.isfinite(points).all():
            raise ValueError('keypoints are not finite')
        return cls(points, codes)


_NONE = LocalFeatures(np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8))


def extract_features(image: Image, count: int = _COUNT) -> LocalFeatures:
    """
    Find ORB features.

    :param image: RGB uint8 ``[H, W, 3]``; large ones are looked at in 640 pixels.
    :param count: features at most.
    """
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    scale = min(1.0, _LONG_SIDE / max(grey.shape))
    if scale * min(grey.shape) < _FEWEST_PIXELS:
        return _NONE
    if scale < 1.0:
        grey = np.asarray(cv2.resize(grey, None, fx=scale, fy=scale,
                                     interpolation=cv2.INTER_AREA), np.uint8)
    points, codes = cv2.ORB.create(nfeatures=count, fastThreshold=7).detectAndCompute(grey, None)
    if codes is None:
        return _NONE
    located = np.array([point.pt for point in points], np.float32) / scale
    return LocalFeatures(located.astype(np.float32), np.asarray(codes, np.uint8))
