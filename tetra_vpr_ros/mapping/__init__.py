# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Places: the map file, the index over it, and how bags become maps."""

from tetra_vpr_ros.mapping.bag_source import BagError, BagSource
from tetra_vpr_ros.mapping.build import build_map, import_folder
from tetra_vpr_ros.mapping.build_options import BuildOptions, BuildReport
from tetra_vpr_ros.mapping.calibration import calibrate, Calibration
from tetra_vpr_ros.mapping.hamming_index import HammingIndex
from tetra_vpr_ros.mapping.map_error import MapError, ModelMismatchError
from tetra_vpr_ros.mapping.place_map import PlaceMap
from tetra_vpr_ros.mapping.places import NewPlace
from tetra_vpr_ros.mapping.pose_track import Pose, PoseTrack

__all__ = ['BagError', 'BagSource', 'BuildOptions', 'BuildReport', 'Calibration', 'HammingIndex',
           'MapError', 'ModelMismatchError', 'NewPlace', 'PlaceMap', 'Pose', 'PoseTrack',
           'build_map', 'calibrate', 'import_folder']
