# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the localizer listens to, what it measured, and why nothing comes."""
