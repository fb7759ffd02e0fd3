# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From a descriptor to an estimate of where the robot is."""

from tetra_vpr_ros.localization.estimate import Candidate, Estimate
from tetra_vpr_ros.localization.single_frame import SingleFrameLocalizer

__all__ = ['Candidate', 'Estimate', 'SingleFrameLocalizer']
