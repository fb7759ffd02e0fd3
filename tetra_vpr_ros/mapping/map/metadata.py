# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The metadata of a map: what they must be, and reading and writing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
import json
import math
from typing import Any

from tetra_vpr_ros.mapping.camera import Camera
from tetra_vpr_ros.mapping.map.map_database import MapDatabase
from tetra_vpr_ros.mapping.map.map_error import damage_told
from tetra_vpr_ros.mapping.pose import FARTHEST
from tetra_vpr_ros.vision.match_model import MatchModel
from tetra_vpr_ros.vision.model_file import ModelInfo

KEYFRAMES = ('keyframe_distance', 'keyframe_angle')
"""What of a build's recipe says how far apart places are, metres and degrees."""

_MOST_BITS = 1_000_000
_MOST_CELLS = 1000  # along a side of a grid of tokens


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and math.isfinite(value))


def _bits(value: Any) -> bool:
    return type(value) is int and 0 < value <= _MOST_BITS and value % 8 == 0


def _grid(value: Any) -> bool:
    return (isinstance(value, list) and len(value) == 2
            and all(type(side) is int and 0 < side <= _MOST_CELLS for side in value))


def _match_model(value: Any) -> bool:
    return bool(MatchModel.from_values(value))  # which says itself what is wrong


def _recipe(value: Any) -> bool:
    return isinstance(value, dict) and all(_number(entry) and abs(entry) <= FARTHEST
                                           for entry in value.values())


def _origin(value: Any) -> bool:
    return value is None or (
        isinstance(value, list) and len(value) == 3 and all(map(_number, value))
        and abs(value[0]) <= 90 and abs(value[1]) <= 360 and abs(value[2]) <= FARTHEST)


def _calibration(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _camera(value: Any) -> bool:
    Camera.from_meta(value)  # raises ValueError
    return True


_REQUIRED: dict[str, Callable[[Any], bool]] = {
    'model_fingerprint': _text, 'model_name': _text, 'frame_id': _text, 'created': _text,
    'bits': _bits}
_KNOWN = {**_REQUIRED, 'build': _recipe, 'keyframes': _recipe, 'poses': _text,
          'pose_frame': _text, 'geodetic_origin': _origin, 'calibration': _calibration,
          'position_errors': _calibration, 'token_grid': _grid, 'token_bits': _bits,
          'match_model': _match_model, 'camera': _camera}


def token_metadata(model: ModelInfo) -> dict[str, Any]:
    """Return what a map keeps of a model's patch tokens; nothing of one without."""
    if not model.token_bits:
        return {}
    found: dict[str, Any] = {'token_grid': list(model.token_grid), 'token_bits': model.token_bits}
    if model.match_model is not None:
        found['match_model'] = asdict(model.match_model)
    return found


def read_metadata(db: MapDatabase) -> dict[str, Any]:
    """
    Return all metadata.

    :raises MapError: they are damaged, or one that every map has is missing.
    """
    stored = dict(db.read('SELECT key, value FROM meta'))
    with damage_told(db.path, 'its metadata'):
        return {key: _parsed(key, stored[key]) for key in {**_REQUIRED, **stored}}


def read_value(db: MapDatabase, key: str) -> Any:
    """
    Return one value; None where the map has none and not every map must.

    :raises MapError: it is damaged, or is missing and must not.
    """
    stored = dict(db.read('SELECT key, value FROM meta WHERE key = ?', (key,)))
    if not stored and key not in _REQUIRED:
        return None
    with damage_told(db.path, 'its metadata'):
        return _parsed(key, stored[key])


def _parsed(key: str, text: str) -> Any:
    value = json.loads(text)
    if key in _KNOWN and not _KNOWN[key](value):
        raise ValueError(f'{key} is {value!r:.80}')
    return value


def write_metadata(db: MapDatabase, values: Mapping[str, Any]) -> None:
    """
    Store values, which must be JSON-serialisable.

    :raises MapError: the file cannot be written.
    """
    with db.transaction() as connection:
        connection.executemany('INSERT OR REPLACE INTO meta VALUES (?, ?)',
                               [(key, json.dumps(value)) for key, value in values.items()])


def finest(*keyframes: Mapping[str, float]) -> dict[str, float]:
    """Return the least of what several builds had between places, see `KEYFRAMES`."""
    return {key: min(known) for key in KEYFRAMES
            if (known := [float(each[key]) for each in keyframes if key in each])}
