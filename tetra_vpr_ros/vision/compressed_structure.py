# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How JPEG and PNG files are built: size and end, read before anything is decoded."""

from __future__ import annotations

import re
import struct
import zlib

from tetra_vpr_ros.vision.picture import ImageError

PNG, JPEG = b'\x89PNG\r\n\x1a\n', b'\xff\xd8'

_MEND = 'record or copy it whole, it cannot be mended'
_PLAIN = (0x01, *range(0xD0, 0xD8))  # markers without a length
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
# In what a scan holds, 0xFF is followed by zero, by the number of a restart, or by filling.
_AFTER_SCAN = re.compile(rb'\xff[^\x00\xff\xd0-\xd7]', re.DOTALL)


def compressed_size(data: bytes) -> tuple[int, int] | None:
    """
    Read height and width from a JPEG or PNG header, before anything is decoded.

    A few hundred bytes of PNG can announce gigabytes of pixels.

    :returns: height and width, or None when the bytes are neither format.
    """
    if data[:8] == PNG and len(data) >= 24:
        width, height = struct.unpack('>II', data[16:24])
        return height, width
    if data[:2] != JPEG:
        return None
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _PLAIN or marker == _START:
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            height, width = struct.unpack('>HH', data[at + 5:at + 9])
            return height, width
        else:
            at += 2 + struct.unpack('>H', data[at + 2:at + 4])[0]
    return None


def is_deep_grey(data: bytes) -> bool:
    """Tell whether the first 26 bytes are of a PNG of 16 bits of grey: of most depth cameras."""
    return data[:8] == PNG and data[24:26] == b'\x10\x00'


def picture_end(data: bytes) -> int:
    """
    Return where a JPEG or PNG picture ends: drivers pad buffers, phones append films.

    OpenCV fills what is missing of a truncated picture with grey, and says nothing.

    :raises ImageError: it is cut off, or damaged.
    """
    if data[:8] == PNG:
        return _png_end(data)
    end = _jpeg_end(data)
    if end is None:
        raise ImageError(f'the compressed picture is truncated ({len(data)} bytes): {_MEND}')
    return end


def _jpeg_end(data: bytes) -> int | None:
    at = 2
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _END:
            return at + 2
        if marker == 0xFF:
            at += 1
        elif marker in _PLAIN:
            at += 2
        elif marker == _START:  # of the next picture: this one has no end
            return None
        else:
            at += 2 + int.from_bytes(data[at + 2:at + 4], 'big')
            if marker == _SCAN:
                found = _AFTER_SCAN.search(data, at)
                if found is None:
                    return None
                at = found.start()
    return None


def _png_end(data: bytes) -> int:
    """
    Follow the chunks of a PNG to the end.

    OpenCV 5.0 reads a file for ever in which a chunk is said to be nearly 4 GiB long.
    """
    at, kind = 8, b''
    while kind != b'IEND':
        length = int.from_bytes(data[at:at + 4], 'big')
        kind, end = data[at + 4:at + 8], at + 8 + length
        if end + 4 > len(data):
            raise ImageError(f'the compressed picture is truncated ({len(data)} bytes): {_MEND}')
        if zlib.crc32(data[at + 4:end]) != int.from_bytes(data[end:end + 4], 'big'):
            raise ImageError(f'the PNG picture is damaged: its {kind!r} at byte {at} has another '
                             'checksum than it says')
        at = end + 4
    return at
