# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Synthetic views of one image: other viewpoints and other light.

Geometry is shared by teacher and student, light is the student's alone: the
student learns to answer under night, glare or noise what the teacher says of
the clean picture.
"""

from __future__ import annotations

import cv2
import numpy as np

_GREYISH = 0.04  # excess of green over red and blue (2G - R - B) that walls have, too
_GREENNESS = 6.0  # of what is left, by which leaves are told
_LEAVES = np.array([[1.5, 1.0, 0.4], [1.7, 0.8, 0.3], [1.2, 1.0, 0.75], [1.05, 1.0, 0.95],
                    [0.8, 1.4, 0.6]], np.float32)
"""Colours of leaves at a brightness of 1: yellow, red, dry, bare and fresh."""


def random_cut(rng: np.random.Generator, strength: float = 0.25) -> np.ndarray:
    """
    Draw a quadrilateral of an image, as another viewpoint would see it.

    :param rng: source of randomness.
    :param strength: largest inward move of a corner, as a share of the side.
    :returns: the homography from the image to its view, both unit squares, ``[3, 3]``.
    """
    base = rng.uniform(0, strength, 4)  # left, top, right, bottom of a crop
    wobble = rng.uniform(0, strength * 0.4, (4, 2))  # and a tilt of every corner
    left, top, right, bottom = base * 0.7
    corners = np.array([
        [left + wobble[0, 0], top + wobble[0, 1]],
        [1 - right - wobble[1, 0], top + wobble[1, 1]],
        [1 - right - wobble[2, 0], 1 - bottom - wobble[2, 1]],
        [left + wobble[3, 0], 1 - bottom - wobble[3, 1]]], np.float32)
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    return cv2.getPerspectiveTransform(corners, square)


def cut_view(image: np.ndarray, size: int, cut: np.ndarray) -> np.ndarray:
    """
    Cut a quadrilateral out of an image.

    :param image: uint8 ``[H, W, 3]``.
    :param size: side of the square result.
    :param cut: see `random_cut`.
    :returns: uint8 ``[size, size, 3]``.
    """
    # Area-average first where the cut shrinks, or the warp would alias.
    shrink = max(image.shape[:2]) / (2.0 * size)
    if shrink > 1:
        image = cv2.resize(image, None, fx=1 / shrink, fy=1 / shrink,
                           interpolation=cv2.INTER_AREA)
    return _warped(image, size, cut, cv2.INTER_LINEAR)


def cut_labels(labels: np.ndarray, size: int, cut: np.ndarray) -> np.ndarray:
    """
    Cut a label map as `cut_view` cuts its picture; labels are not mixed.

    :param labels: uint8 ``[H, W]``.
    :param size: side of the square result.
    :param cut: see `random_cut`.
    :returns: uint8 ``[size, size]``.
    """
    return _warped(labels, size, cut, cv2.INTER_NEAREST)


def _warped(image: np.ndarray, size: int, cut: np.ndarray, interpolation: int) -> np.ndarray:
    height, width = image.shape[:2]
    whole = np.diag([size, size, 1.0]) @ cut @ np.diag([1 / width, 1 / height, 1.0])
    return cv2.warpPerspective(image, whole, (size, size), flags=interpolation,
                               borderMode=cv2.BORDER_REFLECT_101)


def geometric_view(image: np.ndarray, size: int, rng: np.random.Generator,
                   strength: float = 0.25, mirror: bool = True) -> np.ndarray:
    """
    Cut a random quadrilateral out of an image, see `random_cut`.

    :param image: uint8 ``[H, W, 3]``.
    :param size: side of the square result.
    :param rng: source of randomness.
    :param strength: largest inward move of a corner, as a share of the side.
    :param mirror: mirror half of the pictures; not where views must stay one place.
    :returns: uint8 ``[size, size, 3]``.
    """
    view = cut_view(image, size, random_cut(rng, strength))
    return np.ascontiguousarray(view[:, ::-1]) if mirror and rng.random() < 0.5 else view


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture to height and width by area averaging, as the localizer does."""
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)


def student_view(image: np.ndarray, size: tuple[int, int], rng: np.random.Generator,
                 clean_share: float) -> np.ndarray:
    """
    Return what the student sees: the picture resized, mostly in other light.

    :param image: uint8 ``[H, W, 3]``.
    :param size: height and width.
    :param rng: source of randomness.
    :param clean_share: of pictures whose light is not changed.
    """
    small = resized(image, size)
    return small if rng.random() < clean_share else photometric_view(small, rng)


def photometric_view(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """
    Change light, weather and camera of an image, not its geometry.

    One of: mild exposure and colour change, night (dark tone curve, colour
    cast, lamps, noise), glare, another season; then possibly grey, fog, rain,
    blur, noise, an occluding box and JPEG.

    :param image: uint8 RGB ``[H, W, 3]``.
    :param rng: source of randomness.
    :returns: uint8 ``[H, W, 3]``.
    """
    x = image.astype(np.float32) / 255.0
    kind = rng.random()
    if kind < 0.35:
        x = _night(x, rng)
    elif kind < 0.75:
        x = np.clip(x * rng.uniform(0.6, 1.4) + rng.uniform(-0.1, 0.1), 0, 1)
        x **= rng.uniform(0.6, 1.6)
        x *= rng.uniform(0.85, 1.15, 3).astype(np.float32)
    elif kind < 0.85:
        x = _light_patch(x, rng, rng.uniform(0.5, 1.5))
    elif kind < 0.95:
        x = _season(x, rng)
    if rng.random() < 0.1:
        x = np.repeat(x.mean(2, keepdims=True), 3, axis=2)
    if rng.random() < 0.08:  # fog: towards a flat grey, more at the top (farther away)
        depth = np.linspace(1, 0.3, x.shape[0], dtype=np.float32)[:, None, None]
        density = rng.uniform(0.2, 0.7) * depth
        x = x * (1 - density) + rng.uniform(0.5, 0.9) * density
    if rng.random() < 0.05:
        x = _rain(x, rng)
    if rng.random() < 0.25:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.5, 2.0))
    if rng.random() < 0.35:
        x = x + rng.normal(0, rng.uniform(0.01, 0.08), x.shape).astype(np.float32)
    if rng.random() < 0.2:
        _occlude(x, rng)
    out = (np.clip(x, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.2:
        _, data = cv2.imencode('.jpg', out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))])
        out = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return out


def _night(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Darken by a tone curve, tint, and add lamps and sensor noise."""
    x = x ** rng.uniform(1.2, 2.5) * rng.uniform(0.15, 0.6)
    if rng.random() < 0.5:  # the sky, bright by day, is black at night
        sky = np.linspace(1, 0, x.shape[0], dtype=np.float32)[:, None, None]
        x = x * (1 - rng.uniform(0.3, 0.9) * sky)
    tint = np.array([1.0, rng.uniform(0.6, 1.0), rng.uniform(0.3, 1.0)], np.float32)
    x = x * tint
    for _ in range(int(rng.integers(0, 5))):
        x = _light_patch(x, rng, rng.uniform(0.3, 1.2))
    gain = rng.uniform(1.0, 2.5)
    noise = rng.normal(0, rng.uniform(0.0, 0.05), x.shape).astype(np.float32)
    return np.clip(x * gain + noise, 0, 1)


def _season(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let what is green be of another colour, and snow lie on smooth parts below the horizon."""
    luma = x.mean(2, keepdims=True)
    excess = 2 * x[:, :, 1:2] - x[:, :, :1] - x[:, :, 2:]
    green = np.clip(_GREENNESS * (excess - _GREYISH), 0, 1)
    leaves = _LEAVES[rng.integers(len(_LEAVES))] * rng.uniform(0.8, 1.2, 3).astype(np.float32)
    turned = green * rng.uniform(0.5, 1)
    x = x * (1 - turned) + luma * leaves * turned
    if rng.random() < 0.6:
        height, width = x.shape[:2]
        rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
        ground = np.clip((rows - rng.uniform(0.2, 0.6)) * rng.uniform(3, 10), 0, 1)
        drifts = cv2.resize(rng.random((6, 6)).astype(np.float32), (width, height),
                            interpolation=cv2.INTER_CUBIC)
        edges = np.abs(cv2.GaussianBlur(luma[:, :, 0], (0, 0), 2) - luma[:, :, 0])
        smooth = cv2.GaussianBlur(np.clip(1.5 - 20 * edges, 0, 1), (0, 0), 1.5)
        lies = np.clip((drifts - rng.uniform(0.1, 0.5)) * 6, 0, 1) * smooth
        snow = (rng.uniform(0.5, 0.95) * ground * np.maximum(lies, green[:, :, 0]))[:, :, None]
        x = x * (1 - snow) + (0.65 + 0.35 * luma) * snow
    return np.clip(x * rng.uniform(0.7, 1.15), 0, 1)


def _light_patch(x: np.ndarray, rng: np.random.Generator, power: float) -> np.ndarray:
    """Add the glow of a lamp, or of the sun, somewhere in the picture."""
    height, width = x.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None] - rng.uniform(0, height)
    cols = np.arange(width, dtype=np.float32)[None] - rng.uniform(0, width)
    radius = rng.uniform(0.02, 0.25) * width
    glow = np.exp(-(rows**2 + cols**2) / (2 * radius**2))[:, :, None]
    colour = np.array([1.0, rng.uniform(0.7, 1.0), rng.uniform(0.4, 1.0)], np.float32)
    return np.clip(x * (1 + power * 2 * glow) + 0.4 * power * glow * colour, 0, 1)


def _rain(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw bright streaks, all slanted alike, as rain or snow in motion leaves them."""
    drops = (rng.random(x.shape[:2]) > rng.uniform(0.985, 0.998)).astype(np.float32)
    length = int(rng.integers(3, 12))
    kernel = np.zeros((length, length), np.float32)
    cv2.line(kernel, (int(rng.integers(length)), 0), (length // 2, length - 1), 1.0)
    streaks = np.clip(cv2.filter2D(drops, -1, kernel), 0, 1)[:, :, None]
    return np.clip(x * 0.9 + rng.uniform(0.2, 0.5) * streaks, 0, 1)


def _occlude(x: np.ndarray, rng: np.random.Generator) -> None:
    """Cover a box with a flat colour, in place, as a passer-by does."""
    height, width = x.shape[:2]
    h, w = (int(side * rng.uniform(0.1, 0.35)) for side in (height, width))
    top, left = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
    x[top:top + h, left:left + w] = rng.random(3)
