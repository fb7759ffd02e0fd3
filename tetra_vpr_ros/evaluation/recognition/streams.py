# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Localizers on streams of frames whose places are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization import Estimate, Localizer, View
from tetra_vpr_ros.mapping import NewPlace, PlaceMap, Pose
from tetra_vpr_ros.mapping.calibration import calibrate_map
from tetra_vpr_ros.vision import Encodings, ModelInfo

_STRAIGHT = np.array([0.0, 0.0, 0.0, 1.0])
_BEGIN_NS = 1_700_000_000_000_000_000


def map_of_frames(path: Path, model: ModelInfo, descriptors: NDArray[np.uint8],
                  spacing: float = 1.0, tokens: NDArray[np.uint8] | None = None) -> PlaceMap:
    """
    Make a calibrated map of a traverse without poses: frame i lies i spacings along a line.

    :param path: of the map file; must not exist.
    :param model: that made the descriptors.
    :param descriptors: uint8 ``[n, bits / 8]``.
    :param spacing: metres between frames.
    :param tokens: of the frames, where the model has them, uint8
        ``[n, rows*columns, token_bits / 8]``.
    :returns: the map, open for reading.
    :raises MapError: it cannot be written.
    """
    with PlaceMap.create(path, model) as new:
        new.set_meta(build={'keyframe_distance': spacing, 'keyframe_angle': 15.0})
        session = new.begin_session('frames')
        new.add_places(session, [
            NewPlace(_BEGIN_NS + i, Pose(np.array([i * spacing, 0.0, 0.0]), _STRAIGHT), row,
                     tokens=None if tokens is None else tokens[i])
            for i, row in enumerate(descriptors)])
        new.finish_session(session)
        calibrate_map(new)
    return PlaceMap.open_file(path)


def follow(localizer: Localizer, frames: Encodings, seconds: float = 1.0,
           odometry: Sequence[Pose] | None = None) -> list[Estimate]:
    """
    Give a localizer one frame after the other, from a new start.

    :param localizer: to be asked.
    :param frames: with tokens where a second look is wanted.
    :param seconds: between two frames.
    :param odometry: pose of the robot at each frame, if that is known.
    """
    localizer.reset()
    return [localizer.locate([View(descriptor, tokens=tokens)],
                             _BEGIN_NS + int(i * seconds * 1e9), odometry[i] if odometry else None)
            for i, (descriptor, tokens) in enumerate(frames)]


@dataclass(frozen=True)
class StreamScore:
    """
    How a stream went.

    :ivar frames: asked.
    :ivar recall_at_1: share of the frames, after the first few, whose best place is true.
    :ivar accepted: share of all frames that were accepted.
    :ivar precision: share of the accepted whose best place is true; NaN without any.
    """

    frames: int
    recall_at_1: float
    accepted: float
    precision: float


def score(estimates: Sequence[Estimate], truth: NDArray[np.bool_], skipped: int = 10
          ) -> StreamScore:
    """
    Compare estimates with the truth.

    :param estimates: of each frame.
    :param truth: ``[frames, places]``, True where they are the same; places in the order
        of their ids, which begin at 1.
    :param skipped: first frames that do not count for the recall.
    :raises ValueError: the truth has another number of frames.
    """
    if len(truth) != len(estimates):
        raise ValueError(f'{len(estimates)} estimates, but truth for {len(truth)} frames')
    right = np.array([bool(row[estimate.place_id - 1])
                      for row, estimate in zip(truth, estimates)])
    taken = np.array([estimate.accepted for estimate in estimates])
    precision = float(right[taken].mean()) if taken.any() else float('nan')
    return StreamScore(len(estimates), float(right[skipped:].mean()), float(taken.mean()),
                       precision)
