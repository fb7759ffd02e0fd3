# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The parts of the page about a map, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import math
from typing import Any

import numpy as np
from tetra_vpr_ros.viewing.frame.parts import bar, cell, chart, header, Html, section, table, tiles
from tetra_vpr_ros.viewing.frame.shell import escape
from tetra_vpr_ros.viewing.insight.advice import advise
from tetra_vpr_ros.viewing.insight.knowledge import Knowledge
from tetra_vpr_ros.viewing.insight.pairs import Pair

_LISTED = 12  # stretches and gaps


def map_body(title: str, known: Knowledge, pictures: Mapping[str, str]) -> Html:
    """
    Return the page's body.

    :param title: of it.
    :param known: what the map knows.
    :param pictures: that the page carries, base64 by row.
    """
    return Html(''.join((
        header(title, f'{known.path}, {len(known.sessions)} '
               f'{"traverse" if len(known.sessions) == 1 else "traverses"}'),
        _figures(known), _plan(known), _pairs(known, pictures), _one_way(known), _gaps(known),
        _traverses(known), _calibration(known), _advice(known), '<div id="peek" hidden></div>')))


def _show(rows: Sequence[int], way: bool = False) -> Html:
    """Return a button that shows places on the plan; a way is marked."""
    numbers = ','.join(str(int(row)) for row in rows)
    return Html(f'<button type="button" data-show="[{numbers}]"{" data-way=1" if way else ""}>'
                'show on the plan</button>')


def _figures(known: Knowledge) -> Html:
    sure, mistaken = float(known.sure.mean()), float(known.mistaken.mean())
    alone = sum(stretch.metres for stretch in known.one_way)
    whole = max(known.metres, 1e-9)
    return tiles((
        (f'{len(known.table)}', f'places, {known.metres:.0f} m driven, '
         f'{known.spacing:.2g} m apart', ''),
        (f'{100 * sure:.0f} %', 'of the places: one frame tells them from all others',
         'good' if sure >= 0.9 else 'fair' if sure >= 0.6 else 'poor'),
        (f'{100 * mistaken:.0f} %', 'of the places: one frame is taken for another place',
         'good' if mistaken < 0.02 else 'fair' if mistaken < 0.1 else 'poor'),
        (f'{alone:.0f} m', 'driven in one direction only',
         'good' if alone < 0.05 * whole else 'fair'),
        (f'{len(known.gaps)}', 'gaps with no places', 'fair' if known.gaps else 'good')))


def _plan(known: Knowledge) -> Html:
    asked = len(known.looks.asked)
    part = '' if asked == len(known.table) else (
        f' {asked} places, evenly along the way, were asked; the lines show all.')
    return Html(
        '<p class="lead">Arrows are places and look as the camera did; their colour is how sure '
        'a single frame from there would be, in the light of the map. Touch one to see what it '
        f'could be mistaken for.{escape(part)} <a href="#advice">What to do about it</a></p>'
        '<div class="stage"><div><div class="plan" id="plan"></div><div class="controls">'
        '<button type="button" id="whole">whole map</button><span class="scale">taken for '
        'another<i></i>sure</span></div><div class="controls" id="sessions"></div></div>'
        '<aside class="panel" id="panel"></aside></div>')


def _picture(row: int, pictures: Mapping[str, str], said: str) -> Html:
    shown = pictures.get(str(row))
    inside = ('<div class="none">no picture</div>' if shown is None else
              f'<img loading="lazy" alt="" src="data:image/jpeg;base64,{escape(shown)}">')
    return Html(f'<figure>{inside}<figcaption>{escape(said)}</figcaption></figure>')


def _pairs(known: Knowledge, pictures: Mapping[str, str]) -> Html:
    def card(pair: Pair) -> str:
        one, other = known.table.ids[pair.one], known.table.ids[pair.other]
        alike = f'{pair.bits} bits' if math.isnan(pair.score) else f'score {pair.score:.2f}'
        turned = f', turned {pair.degrees:.0f}°' if pair.degrees >= 10 else ''
        return (f'<div class="card"><p>place {one} and place {other}, {pair.metres:.0f} m apart'
                f'{turned}, look alike: <b>{escape(alike)}</b></p><div class="pair">'
                + _picture(pair.one, pictures, f'place {one}')
                + _picture(pair.other, pictures, f'place {other}')
                + f'</div>{_show((pair.one, pair.other))}</div>')

    if not known.pairs:
        return section('Places that look alike', 'No two places of this map are different ones.')
    measure = known.looks.usually
    if known.looks.by_tokens:
        measure = f'the score is the share of their bits of patch tokens that agree; {measure}'
    return section(
        'Places that look alike', Html('<div class="cards">' + ''.join(map(card, known.pairs))
                                       + '</div>'),
        lead=f'The {len(known.pairs)} most alike pairs of different places, the worst first; '
        f'{measure}. Different are places more than {known.looks.far:.1f} m apart, or turned by '
        'more than 90°.')


def _one_way(known: Knowledge) -> Html:
    if not known.one_way:
        return section('Driven in one direction only', 'Every longer stretch was driven both '
                       'ways.')
    ids = known.table.ids
    rows = [(f'place {ids[stretch.rows[0]]} to place {ids[stretch.rows[-1]]}',
             f'{stretch.metres:.0f} m', _show((stretch.rows[0], stretch.rows[-1]), way=True))
            for stretch in known.one_way[:_LISTED]]
    return section(
        'Driven in one direction only', table(('stretch', 'length', ''), rows),
        _more(len(known.one_way)), lead='Seen from the other side a place is another picture: '
        'coming back along these a robot is not recognised.')


def _gaps(known: Knowledge) -> Html:
    if not known.gaps:
        return section('Gaps', 'Nowhere is the next place further than two keyframe distances.')
    ids = known.table.ids
    rows = [(f'place {ids[gap.before]} to place {ids[gap.after]}', f'{gap.metres:.1f} m',
             _show((gap.before, gap.after), way=True)) for gap in known.gaps[:_LISTED]]
    return section('Gaps', table(('between', 'length', ''), rows), _more(len(known.gaps)),
                   lead='No traverse has a place here: frames were missing, or had no pose.')


def _more(count: int) -> Html:
    return Html(f'<p class="quiet">and {count - _LISTED} shorter ones</p>'
                if count > _LISTED else '')


def _traverses(known: Knowledge) -> Html:
    rows = []
    for session, light in zip(known.sessions, known.lights):
        chosen = known.table.sessions[known.looks.asked] == session.number
        sure = float(known.sure[chosen].mean()) if chosen.any() else None
        rows.append((
            f'{session.number}: {session.source}' + ('' if session.complete else ' (unfinished)'),
            int((known.table.sessions == session.number).sum()), bar(sure),
            Html(f'{bar(light.brightness)} {cell(light.word)}')))
    return section('Traverses and their light', table(
        ('traverse', 'places', 'told apart by one frame', 'brightness of the pictures'), rows))


def _calibration(known: Knowledge) -> Html:
    told = known.calibration_told
    return section('Calibration', Html(f'<p>{escape(told[:1].upper() + told[1:])}.</p>'), chart(
        'calibration', 'The further apart the two, the surer a single frame.', '20rem'))


def calibration_figure(known: Knowledge) -> dict[str, Any]:
    """Return the figure of right and wrong places: histograms of how alike they are."""
    looks = known.looks
    unit = 'score of the patch tokens' if looks.by_tokens else 'distance [bits]'
    traces = []
    kinds = [(name, np.abs(values[~np.isnan(values)]), colour, dash)
             for name, values, colour, dash in (
                 ('the same place, from the next one', looks.again, '--sure', 'solid'),
                 ('the nearest wrong look-alike', looks.alike[:, 0], '--wrong', 'dash'))]
    edges = np.histogram_bin_edges(np.concatenate([values for _, values, *_ in kinds]), 40)
    for name, values, colour, dash in kinds:
        if len(values):
            counts, _ = np.histogram(values, edges)
            traces.append({
                'type': 'scatter', 'mode': 'lines', 'name': name, 'fill': 'tozeroy',
                'line': {'color': colour, 'shape': 'hvh', 'dash': dash, 'width': 2.5},
                'x': ((edges[1:] + edges[:-1]) / 2).round(4).tolist(),
                'y': (100 * counts / len(values)).round(2).tolist()})
    return {'traces': traces, 'layout': {
        'xaxis': {'title': {'text': unit}}, 'yaxis': {'title': {'text': 'share of the places [%]'},
                                                      'rangemode': 'tozero'}}}


def _advice(known: Knowledge) -> Html:
    found = advise(known)
    if not found:
        return section('What to do', 'Nothing: drive.', name='advice')
    items = []
    for advice in found:
        command = f'<br><code>{escape(advice.command)}</code>' if advice.command else ''
        button = f'<br>{_show(advice.rows, way=True)}' if advice.rows else ''
        why = escape(advice.why[:1].upper() + advice.why[1:])
        items.append(f'<li><b>{escape(advice.what)}.</b> {why}{command}{button}</li>')
    return section('What to do', Html(f'<ol class="advice">{"".join(items)}</ol>'),
                   lead='The most useful first.', name='advice')
