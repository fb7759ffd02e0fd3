# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the lifecycle node is made of: parameters, inputs, a frame's way, outputs, health."""
