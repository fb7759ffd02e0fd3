# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Places: the map file, the index over it, and how bags become maps."""

from tetra_vpr_ros.mapping.building.build import build_map, import_folder
from tetra_vpr_ros.mapping.building.options import BuildOptions
from tetra_vpr_ros.mapping.building.report import BuildReport
from tetra_vpr_ros.mapping.calibration import calibrate, Calibration
from tetra_vpr_ros.mapping.map.hamming_index import HammingIndex
from tetra_vpr_ros.mapping.map.map_error import MapError, ModelMismatchError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import NewPlace
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.mapping.sources.bag import BagSource
from tetra_vpr_ros.mapping.sources.bag_reader import BagError
from tetra_vpr_ros.mapping.sources.pose_track import PoseTrack

__all__ = ['BagError', 'BagSource', 'BuildOptions', 'BuildReport', 'Calibration', 'HammingIndex',
           'MapError', 'ModelMismatchError', 'NewPlace', 'PlaceMap', 'Pose', 'PoseTrack',
           'build_map', 'calibrate', 'import_folder']
