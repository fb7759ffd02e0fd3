# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pages that show what a map knows, how a drive went and what the robot sees."""

from tetra_vpr_ros.viewing.frame.plotly_bundle import ViewingError
from tetra_vpr_ros.viewing.map_report import map_report

__all__ = ['ViewingError', 'map_report']
