# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Text files of numbers, as editors and programs of all systems leave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import re

from tetra_vpr_ros.mapping.map.map_error import MapError


@dataclass(frozen=True)
class Line:
    """A line of a file and its words, and whether commas part them."""

    path: Path
    number: int
    words: Sequence[str]
    commas: bool = False

    def __str__(self) -> str:
        """Return where it stands and how it begins."""
        text = ' '.join(self.words)
        return f'{self.path}, line {self.number}: {text[:60]!r}'


def read_text_lines(path: Path) -> list[str]:
    """
    Return the lines of a text file, without their ends.

    A byte-order mark is no part of the text, and UTF-16, which Windows' shell redirects to,
    is text, too.

    :raises MapError: there is no such file, or it is no text.
    """
    if not path.is_file():
        raise MapError(f'no such file of poses: {path}')
    try:
        data = path.read_bytes()
        wide = data[:2] in (b'\xff\xfe', b'\xfe\xff')
        text = data.decode('utf-16' if wide else 'utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise MapError(f'{path} is no text file of poses: {error}') from error
    return re.split(r'\r\n|\r|\n', text)


def read_rows(path: Path) -> tuple[list[str], list[Line]]:
    """
    Return comments, and the lines of words that commas, semicolons or blanks part.

    :raises MapError: there is no such file, or it is no text.
    """
    comments, rows = [], []
    for number, text in enumerate(read_text_lines(path), 1):
        line = text.strip().strip('\0')
        if line.startswith(('#', '%')):
            comments.append(line.lstrip('#% '))
        elif line:
            commas = re.search('[,;]', line) is not None
            parts = re.split(r'\s*[,;]\s*', line) if commas else line.split()
            rows.append(Line(path, number, [word.strip('" ') for word in parts], commas))
    return comments, rows
