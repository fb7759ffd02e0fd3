# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""From a descriptor to an estimate of where the robot is."""

from tetra_vpr_ros.localization.bayes import BayesLocalizer
from tetra_vpr_ros.localization.belief.belief import MotionModel
from tetra_vpr_ros.localization.estimate import Candidate, Estimate
from tetra_vpr_ros.localization.factory import LocalizerOptions, make_localizer
from tetra_vpr_ros.localization.observation import FILTERS, Localizer, View
from tetra_vpr_ros.localization.single_frame import SingleFrameLocalizer

__all__ = [
           'FILTERS',
           'BayesLocalizer',
           'Candidate',
           'Estimate',
           'Localizer',
           'LocalizerOptions',
           'MotionModel',
           'SingleFrameLocalizer',
           'View',
           'make_localizer',
]
