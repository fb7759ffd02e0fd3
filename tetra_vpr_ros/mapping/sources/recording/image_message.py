# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""A message of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tetra_vpr_ros.vision.decoding import decode_compressed, decode_raw, Image, ImageError


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
        m = self.message
        try:
            if not hasattr(m, 'encoding'):
                return decode_compressed(m.data)
            return decode_raw(m.height, m.width, m.encoding, m.step, m.data,
                              bool(m.is_bigendian))
        except (AttributeError, TypeError, OverflowError) as error:
            # A bag brings its own definitions: a message may be any under this name.
            raise ImageError(f'{self.topic} has no image messages: {error}') from error
