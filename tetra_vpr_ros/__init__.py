# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Global visual localization on a CPU: camera frame to bits, bits to place, place to pose."""
