# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a process computes, and in what."""

from __future__ import annotations

import torch


def device() -> torch.device:
    """Return the GPU of this process, or the CPU."""
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def has_bfloat16(where: torch.device) -> bool:
    """Tell whether a device computes in bfloat16; where it does not, float32 is faster."""
    if where.type == 'cuda':
        return torch.cuda.is_bf16_supported()
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # another build of PyTorch
        return False
