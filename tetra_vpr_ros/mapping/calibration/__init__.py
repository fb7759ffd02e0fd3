# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a map tells of itself: how right and wrong matches look, and how far off right ones are."""

from tetra_vpr_ros.mapping.calibration.descriptors import (
    APART, calibrate, Calibration, CHI2_95, DEFAULT_FALSE_MATCH_RATE, FAR, load_calibration,
    place_spacing, SAME_HEADING, SCORE_EDGES, standing_out, step_bits)
from tetra_vpr_ros.mapping.calibration.map_calibration import (
    calibrate_map, MapCalibration, measure_map, store_calibration)
from tetra_vpr_ros.mapping.calibration.position_errors import (
    load_position_errors, measure_position_errors, PositionErrors, SAME_WAY)

__all__ = ['APART', 'CHI2_95', 'DEFAULT_FALSE_MATCH_RATE', 'FAR', 'SAME_HEADING', 'SAME_WAY',
           'SCORE_EDGES', 'Calibration', 'MapCalibration', 'PositionErrors', 'calibrate',
           'calibrate_map', 'load_calibration', 'load_position_errors', 'measure_map',
           'measure_position_errors', 'place_spacing', 'standing_out', 'step_bits',
           'store_calibration']
