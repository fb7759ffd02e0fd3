# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers in files and names: which are stamps, of which unit, and which only count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
import re

from tetra_vpr_ros.mapping.sources.pose_track import LATEST

UNITS = {'s': Decimal(10**9), 'ms': Decimal(10**6), 'us': Decimal(10**3), 'ns': Decimal(1)}
"""Nanoseconds of each unit."""

# Seconds from 2001 to 2096: recordings of robots. A number of these magnitudes tells its unit.
_SINCE_1970 = (Decimal(10**18), Decimal(4 * 10**18))
_COARSE = 1000   # below this step whole numbers count frames, from it on they are times
_MOST = 0.8      # share of the names that must have a stamp, for the others to be told as odd


def number(text: str) -> Decimal | None:
    """Return a number as it is written, to the last digit; None where it is none, or huge."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) < 30 else None


def unit_since_1970(value: Decimal) -> str | None:
    """Return the unit in which a number is a time of our days, counted from 1970."""
    return next((unit for unit, scale in UNITS.items()
                 if _SINCE_1970[0] <= value * scale <= _SINCE_1970[1]), None)


@dataclass(frozen=True)
class Numbers:
    """
    The numbers of images or of poses, one each.

    :ivar values: as they are written; None where there is none.
    :ivar unit: of their time; None where they only count.
    """

    values: Sequence[Decimal | None]
    unit: str | None

    @property
    def counting(self) -> bool:
        """Tell whether the numbers may count frames: whole, written without a point, close."""
        known = self.known
        return bool(known) and all(value.as_tuple().exponent == 0 for value in known) and (
            _median_step(known) < _COARSE and unit_since_1970(known[len(known) // 2]) is None)

    @property
    def known(self) -> list[Decimal]:
        """Return those that there are."""
        return [value for value in self.values if value is not None]

    def nanoseconds(self) -> list[int | None]:
        """Return stamps; None where a number is missing or too large for one."""
        scale = UNITS[self.unit or 's']
        stamps = [None if value is None else int((value * scale).to_integral_value())
                  for value in self.values]
        return [stamp if stamp is not None and abs(stamp) <= LATEST else None
                for stamp in stamps]


def numbers_of(values: Sequence[Decimal | None]) -> Numbers:
    """
    Tell the unit of numbers: by their size, else by their steps.

    A stamp since 1970 is known by its size. One of another clock is whole nanoseconds or
    microseconds where its steps are so large, and seconds where it has a decimal point.
    """
    known = [value for value in values if value is not None]
    if not known:
        return Numbers(values, None)
    units = {unit_since_1970(value) for value in known}
    if len(units) == 1 and None not in units:
        return Numbers(values, units.pop())
    middle = unit_since_1970(sorted(known)[len(known) // 2])
    if middle is not None:
        return Numbers(values, middle)
    if any(value != int(value) for value in known):
        return Numbers(values, 's')
    step = _median_step(known)
    return Numbers(values, None if step < _COARSE else 'us' if step < 10**6 else 'ns')


def numbers_of_names(files: Sequence[Path]) -> Numbers:
    """
    Find stamps or frame numbers in the names of images.

    ``1403636579.763555.png``, ``left-1403636579763555584.png``, ``1403636579_763555584.png``,
    ``1403636579_763555.png`` and ``frame000123.png`` are understood.
    """
    unpadded = _unpadded(files)
    shorter = r'\d{10}[_-]\d{1,8}(?!\d)|' if unpadded else ''.join(
        rf'\d{{10}}[_-]\d{{{digits}}}(?!\d)|' for digits in (3, 6) if _fractions(files, digits))
    width = 9 if unpadded else 0
    found = [[value for part in re.findall(
        rf'\d+[_-]\d{{9}}(?!\d)|{shorter}\d+\.\d+|\d+', file.stem)
        for value in _parts(part, width)] for file in files]
    most = _MOST * len(files)
    for at in range(max(map(len, found), default=0)):
        column = [parts[at] if at < len(parts) else None for parts in found]
        dated = [value if value is not None and unit_since_1970(value) else None
                 for value in column]
        # Whole seconds beside a fraction, or one time in all names, tell no images apart.
        apart = len({(file.parent, value) for file, value in zip(files, dated)
                     if value is not None})
        if apart >= most:
            return numbers_of(dated)
    whole = [number(file.stem) for file in files]  # the name is nothing but a number
    if sum(value is not None for value in whole) >= most:
        # A name such as 000012 counts, 12.500 does not.
        return numbers_of(whole)
    last = [parts[-1] if parts else None for parts in found]
    if sum(value is not None for value in last) >= most:
        return Numbers(last, numbers_of(last).unit)
    return Numbers([None] * len(files), None)


def _fractions(files: Sequence[Path], digits: int) -> bool:
    """
    Tell whether so many digits behind whole seconds are a fraction of them.

    They may count frames as well: those begin small, or only grow.
    """
    pairs = [re.search(rf'(?<!\d)\d{{10}}[_-](\d{{{digits}}})(?!\d)', file.stem)
             for file in files]
    known = [int(pair[1]) for pair in pairs if pair is not None]
    return (len(known) >= _MOST * len(files) and 10 * max(known, default=0) >= 10**digits
            and (len(known) == 1 or any(a >= b for a, b in zip(known, known[1:]))))


def _unpadded(files: Sequence[Path]) -> bool:
    """Tell whether behind seconds nanoseconds stand without the zeros that they begin with."""
    pairs = [re.search(r'(?<!\d)\d{10}[_-](\d{1,9})(?!\d)', file.stem) for file in files]
    digits = [len(pair[1]) for pair in pairs if pair is not None]
    # Nine in ten nanoseconds have nine digits; where all of them have, there is nothing to tell.
    return len(digits) >= _MOST * len(files) and len(digits) / 2 < digits.count(9) < len(digits)


def _parts(text: str, width: int) -> list[Decimal]:
    """Return the numbers of digits; seconds and a fraction beside each other are one."""
    seconds, _, rest = text.replace('-', '_').partition('_')
    if rest and unit_since_1970(Decimal(seconds)) == 's':
        return [Decimal(f'{seconds}.{rest.zfill(width)}')]
    return [Decimal(part) for part in (seconds, rest) if part]


def _median_step(values: Sequence[Decimal]) -> Decimal:
    ordered = sorted(values)
    steps = sorted(b - a for a, b in zip(ordered, ordered[1:]))
    return steps[len(steps) // 2] if steps else Decimal(0)
