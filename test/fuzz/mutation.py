# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Damage of all kinds: to bytes, to numbers and to the files of a folder."""

from __future__ import annotations

from collections.abc import Sequence
import io
from pathlib import Path
from typing import Any, TypeVar
import zipfile

import numpy as np

Item = TypeVar('Item')

NUMBERS = (0, 1, -1, 7, 255, 2**31 - 1, -2**31, 2**32, 2**63 - 1, -2**63, 10**400, 0.0, -0.0, 0.5,
           1e-320, 1e8, 1e19, 1e300, -1e308, float('inf'), float('-inf'), float('nan'))
WORDS = ('', ' ', 'nan', 'inf', '-inf', '1e999', '1e-999', '0x10', '१२', '9' * 40, '9' * 5000,
         '-1', '1_0', 'NULL', '../../etc/passwd', 'a' * 3000, '\0', '\udcff', '\N{SNOWMAN}', '/',
         '//', '~', '%s', '{', '[', '@', '@@@')


def pick(rng: np.random.Generator, items: Sequence[Item]) -> Item:
    """Return one of some things, as it is."""
    return items[int(rng.integers(len(items)))]


def damaged(rng: np.random.Generator, data: bytes, most: int = 5) -> bytes:
    """Return bytes with up to ``most`` changes: flips, cuts, insertions, parts twice or moved."""
    whole = bytearray(data)
    for _ in range(int(rng.integers(1, most + 1))):
        size = len(whole)
        at = int(rng.integers(size + 1))
        # Headers lie at the beginning and the end: half of the damage goes there.
        if rng.random() < 0.5:
            at = min(at % 200, size) if rng.random() < 0.7 else max(size - at % 200, 0)
        length = int(2 ** rng.uniform(0, 10))
        kind = rng.integers(7)
        if kind <= 1 and at < size:
            whole[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            whole[at:at + length] = rng.bytes(len(whole[at:at + length]))
        elif kind == 3:
            value = int(pick(rng, (0, 1, 0x7F, 0x80, 0xFF)))
            whole[at:at + 4] = bytes([value] * len(whole[at:at + 4]))
        elif kind == 4:
            whole[at:at] = whole[at:at + length] if rng.random() < 0.5 else rng.bytes(length)
        elif kind == 5:
            del whole[at:at + length]
        elif rng.random() < 0.3:
            del whole[at:]
    return bytes(whole)


def damaged_text(rng: np.random.Generator, text: str) -> bytes:
    """Return the bytes of a text with some words changed for bad ones."""
    lines = [line.split(' ') for line in text.split('\n')]
    for _ in range(int(rng.integers(1, 5))):
        line = pick(rng, lines)
        at = int(rng.integers(len(line) + 1))
        kind = rng.integers(5)
        if kind <= 1 and at < len(line):
            line[at] = pick(rng, WORDS) if kind else str(pick(rng, NUMBERS))
        elif kind == 2:
            line.insert(at, pick(rng, WORDS))
        elif kind == 3:
            lines.insert(int(rng.integers(len(lines))), list(pick(rng, lines)))
        elif len(lines) > 1:
            lines.remove(line)
    data = '\n'.join(' '.join(line) for line in lines).encode('utf-8', 'surrogateescape')
    return damaged(rng, data, 2) if rng.random() < 0.2 else data


def damaged_value(rng: np.random.Generator, value: Any) -> Any:
    """Return a JSON value of which one part is another one."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = pick(rng, list(value))
        if rng.random() < 0.2:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: damaged_value(rng, value[key])}
    if isinstance(value, (list, tuple)) and value and rng.random() < 0.7:
        at = int(rng.integers(len(value)))
        new = [] if rng.random() < 0.2 else [damaged_value(rng, value[at])]
        return [*value[:at], *new, *value[at + 1:]]
    return pick(rng, (None, True, False, {}, [], [None], {'a': 1}, *NUMBERS, *WORDS[:8]))


def pack(files: dict[str, bytes]) -> bytes:
    """Return the files of a folder as one ZIP archive, the same bytes every time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Write the files of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)
