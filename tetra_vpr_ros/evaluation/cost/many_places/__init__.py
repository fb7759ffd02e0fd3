# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What maps of very many places cost, whose views are made up as real ones are."""
