# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: what they mean, which values they may have, how they begin."""

from tetra_vpr_ros.nodes.localizer.parameters.checking import check, fitted, ParameterError
from tetra_vpr_ros.nodes.localizer.parameters.table import PARAMETERS, Spec

__all__ = ['PARAMETERS', 'ParameterError', 'Spec', 'check', 'fitted']
