# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a map tells of itself: how right and wrong matches look, and how far off right ones are."""

from tetra_vpr_ros.mapping.calibration.descriptors import (
    calibrate, Calibration, CHI2_95, DEFAULT_FALSE_MATCH_RATE, FAR, load_calibration,
    place_spacing, step_bits)
from tetra_vpr_ros.mapping.calibration.map_calibration import (
    BY_A_DRIVE, by_a_drive, calibrate_again, calibrate_map, MapCalibration, measure_map,
    store_calibration)
from tetra_vpr_ros.mapping.calibration.pairs import differ, SAME_HEADING
from tetra_vpr_ros.mapping.calibration.position_errors import (
    load_position_errors, measure_position_errors, PositionErrors, SAME_WAY)
from tetra_vpr_ros.mapping.calibration.scores import (
    count_bits, moments, SCORE_EDGES, standing_out)

__all__ = ['BY_A_DRIVE', 'CHI2_95', 'DEFAULT_FALSE_MATCH_RATE', 'FAR', 'SAME_HEADING', 'SAME_WAY',
           'SCORE_EDGES', 'Calibration', 'MapCalibration', 'PositionErrors',
           'by_a_drive', 'calibrate', 'calibrate_again', 'calibrate_map', 'count_bits',
           'differ', 'load_calibration', 'load_position_errors', 'measure_map',
           'measure_position_errors', 'moments', 'place_spacing', 'standing_out',
           'step_bits', 'store_calibration']
