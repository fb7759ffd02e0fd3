# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a map file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tetra_vpr_ros.mapping.calibration import MapCalibration
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.vision.model_file import shipped_model_with


def problems(path: Path) -> list[str]:
    """
    Return what is wrong with a map file; nothing for a sound one.

    :param path: of the map.
    """
    try:
        with PlaceMap.open_file(path) as place_map:
            found = place_map.integrity()
            table = place_map.places()
            sessions = place_map.sessions()
            seen = place_map.tokens_size()[0]
            calibration = MapCalibration.stored(place_map)
            name = str(place_map.value('model_name'))
            shipped = shipped_model_with(name, str(place_map.value('model_fingerprint')))
    except MapError as error:
        return [str(error)]
    # Without a name the map would become one of the default model.
    again = f'vpr_map reencode {path}' + (f' --model {name}' if shipped else '')
    together = np.stack([table.sessions, table.stamps], axis=1)
    twice = len(table) - len(np.unique(together, axis=0))
    if twice:
        found.append(f'{twice} places have the traverse and stamp of another')
    unknown = set(table.sessions.tolist()) - {s.number for s in sessions}
    if unknown:
        found.append(f'places belong to traverses that are not listed: {sorted(unknown)}')
    found += [f'traverse {s.source} is not complete: finish it with build_map --resume'
              for s in sessions if not s.complete]
    if 0 < seen < len(table):
        found.append(f'{len(table) - seen} of {len(table)} places have no patch tokens, so that '
                     f'the second look passes them over: run {again}')
    if not calibration.judges and len(table):
        found.append(f'not calibrated, so no match would be accepted: run calibrate_map --map '
                     f'{path}, or {again} for a second look')
    return found
