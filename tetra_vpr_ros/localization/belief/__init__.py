# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The belief over places: what moves it, what feeds it, and what a pose must be to follow."""
