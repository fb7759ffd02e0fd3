# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What ROS 2's client library says of arguments that it cannot read."""

from __future__ import annotations


def first_cause(error: Exception) -> str:
    """Return what rcl says without where in its source it says so."""
    return ' '.join(str(error).split()).partition(', at /')[0]
