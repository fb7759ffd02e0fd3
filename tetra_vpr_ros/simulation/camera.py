# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a real camera does to a rendered picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CameraEffects:
    """Exposure (factor), gamma, blur (sigma, pixels) and noise (sigma, 0..1)."""

    exposure: float = 1.0
    gamma: float = 1.0
    blur: float = 0.0
    noise: float = 0.0

    def apply(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return the picture as this camera takes it, uint8 ``[H, W, 3]``."""
        x = (image.astype(np.float32) / 255.0) ** self.gamma * self.exposure
        if self.blur > 0:
            x = np.asarray(cv2.GaussianBlur(x, (0, 0), self.blur), np.float32)
        if self.noise > 0:
            x = x + rng.standard_normal(x.shape, np.float32) * self.noise
        return np.asarray(np.clip(x * 255.0, 0, 255), np.uint8)


SECOND_LAP_CAMERA = CameraEffects(exposure=0.75, gamma=1.1, blur=0.8, noise=0.02)
"""Darker, softer and noisier than the camera of the mapping lap, which is perfect."""
