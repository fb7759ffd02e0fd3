# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Places: the map file, the index over it, and how bags become maps."""

from importlib import import_module
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from tetra_vpr_ros.mapping.building.build import build_map, import_folder
    from tetra_vpr_ros.mapping.building.options import BuildOptions
    from tetra_vpr_ros.mapping.building.report import BuildReport
    from tetra_vpr_ros.mapping.calibration import calibrate, Calibration
    from tetra_vpr_ros.mapping.map.cell_index import CellIndex, index_of
    from tetra_vpr_ros.mapping.map.hamming_index import HammingIndex
    from tetra_vpr_ros.mapping.map.map_error import MapError, ModelMismatchError
    from tetra_vpr_ros.mapping.map.place_map import PlaceMap
    from tetra_vpr_ros.mapping.map.places import NewPlace
    from tetra_vpr_ros.mapping.pose import Pose
    from tetra_vpr_ros.mapping.sources.bag import BagSource
    from tetra_vpr_ros.mapping.sources.bag_reader import BagError
    from tetra_vpr_ros.mapping.sources.pose_track import PoseTrack

__all__ = ['BagError', 'BagSource', 'BuildOptions', 'BuildReport', 'Calibration', 'CellIndex',
           'HammingIndex', 'MapError', 'ModelMismatchError', 'NewPlace', 'PlaceMap', 'Pose',
           'PoseTrack', 'build_map', 'calibrate', 'import_folder', 'index_of']

# A robot that localises opens maps and builds none: what reads bags would be a third of the
# time in which it starts.
_HOMES = {
    'building.build': ('build_map', 'import_folder'),
    'building.options': ('BuildOptions',),
    'building.report': ('BuildReport',),
    'calibration': ('Calibration', 'calibrate'),
    'map.cell_index': ('CellIndex', 'index_of'),
    'map.hamming_index': ('HammingIndex',),
    'map.map_error': ('MapError', 'ModelMismatchError'),
    'map.place_map': ('PlaceMap',),
    'map.places': ('NewPlace',),
    'pose': ('Pose',),
    'sources.bag': ('BagSource',),
    'sources.bag_reader': ('BagError',),
    'sources.pose_track': ('PoseTrack',),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for (PEP 562)."""
    for home, names in _HOMES.items():
        if name in names:
            found = getattr(import_module(f'{__name__}.{home}'), name)
            globals()[name] = found
            return found
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
