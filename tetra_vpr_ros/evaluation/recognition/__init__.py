# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How well places are recognised: data sets, methods, streams and their figures."""
