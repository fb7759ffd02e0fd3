# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What model files cost, ours and the field's: disk, memory, milliseconds, and where they go."""
