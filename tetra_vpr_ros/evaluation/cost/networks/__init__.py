# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What model files cost, ours and the field's: disk, memory, milliseconds, and where they go."""

AUTHORS_SIZE = {'resnet50-2048': 320, 'resnet18-512': 320, 'vit-b14': 322}
"""The field's usual networks, and the side of the input that their authors use, pixels."""
