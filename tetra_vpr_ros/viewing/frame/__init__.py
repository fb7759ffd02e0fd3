# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What all pages are made of: one shell, one style, and how anything gets into them safely."""
