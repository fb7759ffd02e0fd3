# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the robot sees now: a page that a small server of this machine keeps up to date."""
