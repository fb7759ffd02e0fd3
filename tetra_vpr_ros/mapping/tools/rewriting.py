# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A map written anew beside the old one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tetra_vpr_ros.mapping.calibration import calibrate_map
from tetra_vpr_ros.mapping.map.map_file import logs_of, put_in_place
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.vision.model_file import ModelInfo


_KEPT = ('build', 'poses', 'pose_frame', 'geodetic_origin', 'camera')


@contextmanager
def rewritten(output: Path, like: PlaceMap, model: ModelInfo | None = None
              ) -> Iterator[PlaceMap]:
    """
    Write a map beside its final place and swap it in when it is whole.

    :param output: of the new map; an existing file is replaced at the end.
    :param like: a map with the frame and the camera of the new one.
    :param model: of the new map; None for that of the other.
    """
    temporary = output.with_name(output.name + '.tmp')
    for file in (temporary, *logs_of(temporary)):
        file.unlink(missing_ok=True)
    meta = like.meta()
    if model is None:
        model = ModelInfo(Path(meta['model_name']), meta['model_fingerprint'],
                          meta['model_name'], '', like.bits, 0, 0, '', like.token_grid,
                          int(meta.get('token_bits', 0)), like.match_model())
    try:
        with PlaceMap.create(temporary, model, like.frame_id) as new:
            new.set_meta(**{key: meta[key] for key in _KEPT if key in meta})
            yield new
            calibrate_map(new)
        put_in_place(temporary, output)
    finally:
        temporary.unlink(missing_ok=True)
