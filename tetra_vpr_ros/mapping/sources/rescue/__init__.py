# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a recording still holds whose recorder was killed or whose file was cut off."""
