# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A frame's way through the node, from the newest message to an estimate."""
