# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Poses of images in the ways in which other tools write them, and which image has which."""
