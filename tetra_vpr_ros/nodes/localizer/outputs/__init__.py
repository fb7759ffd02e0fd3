# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the localizer publishes: poses, status, transform, and how it fares."""
