# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot with a camera in the free Freedoom levels, for the demo, tests and training."""
