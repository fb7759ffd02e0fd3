# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a whole frame takes, from JPEG bytes to an estimate."""

from __future__ import annotations

from pathlib import Path
import tempfile

import cv2
import numpy as np
from tetra_vpr_ros.evaluation.cost.timing import in_turns, Seconds
from tetra_vpr_ros.localization import LocalizerOptions, make_localizer, View
from tetra_vpr_ros.mapping import NewPlace, PlaceMap, Pose
from tetra_vpr_ros.mapping.calibration import calibrate_map
from tetra_vpr_ros.vision import decode_compressed, PlaceEncoder


def camera_picture(seed: int = 0) -> bytes:
    """Return the JPEG of a smooth picture: noise would make it larger than a camera's."""
    coarse = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode('.jpg', picture)[1].tobytes()


def write_line_map(path: Path, encoder: PlaceEncoder, data: bytes, places: int) -> None:
    """
    Write a calibrated map of random places along a line, the first of which a picture shows.

    :param path: of the new map.
    :param encoder: of the model.
    :param data: the picture, JPEG.
    :param places: how many.
    """
    rng = np.random.default_rng(0)
    descriptors = rng.integers(0, 256, (places, encoder.bits // 8), dtype=np.uint8)
    tokens = rng.integers(0, 256, (places, *encoder.info.token_shape), dtype=np.uint8)
    seen = encoder.encode_with_tokens([decode_compressed(data)])
    descriptors[0] = seen.descriptors[0]
    if seen.tokens is not None:
        tokens[0] = seen.tokens[0]
    straight = np.array([0.0, 0.0, 0.0, 1.0])
    with PlaceMap.create(path, encoder.info) as place_map:
        place_map.add_places(place_map.begin_session('benchmark'), [
            NewPlace(i, Pose(np.array([float(i), 0.0, 0.0]), straight, None), descriptor,
                     tokens=None if seen.tokens is None else tokens[i])
            for i, descriptor in enumerate(descriptors)])
        calibrate_map(place_map)


def measure_frame(model: Path, threads: int, iterations: int, places: int = 10_000
                  ) -> tuple[dict[str, float], dict[str, float]]:
    """
    Time a whole frame, from JPEG bytes to an accepted estimate, and what precedes the encoder.

    The second look is part of it where the model has patch tokens.

    :returns: of the frame, and of decoding with resizing, each ``p50_ms`` and ``p95_ms``.
    """
    encoder = PlaceEncoder(model, threads=threads)
    data = camera_picture()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'line.vpr'
        write_line_map(path, encoder, data, places)
        with PlaceMap.open_file(path) as place_map:
            localizer = make_localizer(place_map, LocalizerOptions('single'))

            def frame() -> None:
                ((descriptor, own),) = encoder.encode_with_tokens([decode_compressed(data)])
                estimate = localizer.locate([View(descriptor, tokens=own)], 0)
                if not estimate.accepted:
                    raise RuntimeError(f'the frame was not accepted: {estimate.rejection}')

            def prepare() -> None:
                image = decode_compressed(data)
                cv2.resize(image, (encoder.info.width, encoder.info.height),
                           interpolation=cv2.INTER_AREA)

            whole, before = in_turns([frame, prepare], iterations, 'whole frame')

    def figures(seconds: Seconds) -> dict[str, float]:
        return {'p50_ms': 1e3 * float(np.median(seconds)),
                'p95_ms': 1e3 * float(np.percentile(seconds, 95))}

    return figures(whole), figures(before)
