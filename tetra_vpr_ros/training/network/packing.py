# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Ternary codes in two bits each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pack_ternary(codes: NDArray[np.int8]) -> NDArray[np.uint8]:
    """
    Pack four ternary codes into a byte, along the first axis.

    Code ``c`` of row ``4 i + j`` is stored as ``c + 1`` in bits ``2 j`` and
    ``2 j + 1`` of row ``i``.

    :param codes: int8 ``[n, m]`` of -1, 0, +1; n a multiple of 4.
    :returns: uint8 ``[n / 4, m]``.
    :raises ValueError: another value or shape.
    """
    if codes.ndim != 2 or codes.shape[0] % 4:
        raise ValueError(f'codes must be [n, m] with n a multiple of 4, not {codes.shape}')
    if codes.size and (codes.min() < -1 or codes.max() > 1):
        raise ValueError('a ternary code is -1, 0 or +1')
    quads = (codes + 1).astype(np.uint8).reshape(-1, 4, codes.shape[1])
    return quads[:, 0] | quads[:, 1] << 2 | quads[:, 2] << 4 | quads[:, 3] << 6


def unpack_ternary(packed: NDArray[np.uint8]) -> NDArray[np.int8]:
    """
    Invert `pack_ternary`.

    :param packed: uint8 ``[n, m]``.
    :returns: int8 ``[4 n, m]``.
    """
    shifts = np.array([0, 2, 4, 6], np.uint8)[None, :, None]
    quads = (packed[:, None] >> shifts) & 3
    return quads.reshape(-1, packed.shape[1]).astype(np.int8) - 1
