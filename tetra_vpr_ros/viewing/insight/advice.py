# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What to do about a map, the most useful first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
import shlex

import numpy as np
from tetra_vpr_ros.viewing.insight.knowledge import Knowledge

_EACH = 3          # stretches of a kind that are advised on
_WORTH = 0.03      # share of the places from which pruning is worth it


@dataclass(frozen=True)
class Advice:
    """
    Something to do.

    :ivar what: in a few words.
    :ivar why: in a sentence.
    :ivar command: to type, if there is one.
    :ivar rows: of the places that it is about; none for the whole map.
    """

    what: str
    why: str
    command: str = ''
    rows: tuple[int, ...] = field(default=())


def advise(known: Knowledge) -> list[Advice]:
    """
    Return what to do about a map, in order of use; nothing where all is well.

    :param known: what the map knows.
    """
    return [*_repairs(known), *_drives(known), *_odometry(known), *_fill(known), *_light(known),
            *_prune(known)]


def _repairs(known: Knowledge) -> Iterator[Advice]:
    path = shlex.quote(str(known.path))
    for session in known.sessions:
        if not session.complete:
            yield Advice(f'Finish the traverse {session.source}',
                         'its build was interrupted, and the places behind that are missing.',
                         f'build_map --bag … --map {path} --resume')
    if known.calibration is None:
        yield Advice('Calibrate the map', known.calibration_told + '.',
                     f'calibrate_map --map {path}')
    elif not known.calibration.second_look:
        yield Advice('Give the map its patch tokens',
                     'without them there is no second look, and fewer places are told apart.',
                     f'vpr_map reencode {path}')


def _drives(known: Knowledge) -> Iterator[Advice]:
    ids = known.table.ids
    for stretch in known.one_way[:_EACH]:
        yield Advice(
            'Drive this stretch in the other direction',
            f'{stretch.metres:.0f} m from place {ids[stretch.rows[0]]} to place '
            f'{ids[stretch.rows[-1]]} were driven one way only: a robot that comes the other '
            'way is not recognised there.', rows=_ends(stretch.rows.tolist()))


def _odometry(known: Knowledge) -> Iterator[Advice]:
    ids = known.table.ids
    for stretch in known.alike[:_EACH]:
        at = np.isin(known.looks.asked, stretch.rows)
        taken = known.looks.rows[at, 0]
        yield Advice(
            f'These {stretch.metres:.0f} m look alike: give odometry there',
            f'from place {ids[stretch.rows[0]]} to place {ids[stretch.rows[-1]]} a single frame '
            f'would rather be taken for another place, such as place {ids[taken[0]]}; with '
            'odometry the belief keeps them apart.', rows=_ends(stretch.rows.tolist()))


def _fill(known: Knowledge) -> Iterator[Advice]:
    ids = known.table.ids
    for gap in known.gaps[:_EACH]:
        yield Advice('Drive this gap again',
                     f'between place {ids[gap.before]} and place {ids[gap.after]} no place is '
                     f'stored for {gap.metres:.1f} m.', rows=(gap.before, gap.after))


def _light(known: Knowledge) -> Iterator[Advice]:
    words = {light.word for light in known.lights} - {''}
    if len(words) == 1:
        word = words.pop()
        other = 'by daylight' if word == 'dark' else 'in the dark'
        yield Advice(f'If the robot also drives {other}, map it {other}, too',
                     f'all traverses are {word}; in other light fewer frames are recognised.',
                     f'build_map --bag … --map {shlex.quote(str(known.path))} --append')


def _prune(known: Knowledge) -> Iterator[Advice]:
    found = known.redundance
    if found.count >= max(1, _WORTH * len(known.table)):
        yield Advice(
            f'Prune these {found.count} places',
            f'each lies within {found.metres:g} m of an earlier one and differs from it by at '
            f'most {found.bits} bits, no more than the next place does: the map becomes '
            f'{100 * found.count / len(known.table):.0f} % smaller and knows as much.',
            f'vpr_map prune {shlex.quote(str(known.path))} --redundant {found.metres:g} '
            f'{found.bits}')


def _ends(rows: list[int]) -> tuple[int, ...]:
    return rows[0], rows[-1]
