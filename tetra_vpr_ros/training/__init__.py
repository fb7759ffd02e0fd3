# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Training of ternary place encoders; needs the extra ``training`` (PyTorch)."""
