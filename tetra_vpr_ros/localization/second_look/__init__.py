# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The second look: candidates are compared by their patch tokens, and believed by that."""

from tetra_vpr_ros.localization.second_look.looking import HEADING_DEVIATION, Looks, SecondLook
from tetra_vpr_ros.mapping.map.token_comparison import SECOND_LOOK

__all__ = ['HEADING_DEVIATION', 'SECOND_LOOK', 'Looks', 'SecondLook']
