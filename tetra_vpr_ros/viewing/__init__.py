# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pages that show what a map knows, how a drive went and what the robot sees."""
