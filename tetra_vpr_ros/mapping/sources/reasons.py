# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Why frames, poses or images were left out: each reason once, counted, with the first case."""

from __future__ import annotations

from dataclasses import dataclass
import re

_NUMBER = re.compile(r'\d[\d.]*')


@dataclass
class Reason:
    """
    What was left out or completed for one reason.

    :ivar text: as it was told of the first, and how to mend it.
    :ivar first: where that one is from: topic and stamp, file or line.
    :ivar count: how many there are.
    """

    text: str
    first: str
    count: int = 0

    def __str__(self) -> str:
        """Return a line for a person."""
        return f'{self.count} {self.text}; the first: {self.first}'


class Reasons(dict[str, Reason]):
    """Reasons by their texts but for the numbers, which do not make a reason another."""

    def add(self, text: str, first: object, count: int = 1) -> None:
        """
        Count cases.

        :param text: what was wrong and, where that helps, how to mend it.
        :param first: of the cases, if they are the first of this reason.
        :param count: how many.
        """
        self.setdefault(_NUMBER.sub('#', text), Reason(text, str(first))).count += count
