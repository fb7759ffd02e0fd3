# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Damaged input: what is documented comes out, or a result; see CONTRIBUTING.md."""
