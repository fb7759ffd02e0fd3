# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A message of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tetra_vpr_ros.vision.decoding import decode_message, Image


@dataclass(frozen=True)
class ImageMessage:
    """A camera message, not decoded yet."""

    stamp_ns: int
    received_ns: int
    topic: str
    message: Any

    def taken_ns(self, by_header: bool) -> int:
        """Return when it was taken: as its header says, or when it was recorded."""
        return self.stamp_ns if by_header else self.received_ns

    def decode(self) -> Image:
        """
        Decode to RGB uint8 ``[H, W, 3]``.

        :raises ImageError: the message holds no valid picture.
        """
        return decode_message(self.message)
