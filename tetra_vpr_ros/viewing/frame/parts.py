# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The parts of pages: sections, tiles of figures, tables, bars; their texts are escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import math

from tetra_vpr_ros.viewing.frame.shell import escape


class Html(str):
    """HTML that is safe as it stands: `cell` passes it, and escapes any other text."""


def cell(content: object) -> Html:
    """Return HTML as it is, and anything else as text."""
    return content if isinstance(content, Html) else Html(escape(content))


def header(title: str, line: str) -> Html:
    """Return the head of a page: what it is about, and where from."""
    return Html(f'<header><h1>{escape(title)}</h1><p class="from">{escape(line)}</p></header>')


def section(title: str, *content: object, lead: str = '', name: str = '') -> Html:
    """
    Return a part of a page with a heading.

    :param title: of it.
    :param content: HTML; other texts are escaped.
    :param lead: a sentence below the heading.
    :param name: by which links and scripts find it.
    """
    said = f'<p class="lead">{escape(lead)}</p>' if lead else ''
    key = f' id="{escape(name)}"' if name else ''
    return Html(f'<section{key}><h2>{escape(title)}</h2>{said}'
                + ''.join(map(cell, content)) + '</section>')


def tiles(values: Iterable[tuple[str, str, str]]) -> Html:
    """
    Return figures to be read first.

    :param values: figure, what it counts, and how good it is: ``good``, ``fair``, ``poor`` or
        nothing; told by a mark beside the colour.
    """
    return Html('<div class="tiles">' + ''.join(
        f'<div class="tile {escape(how)}"><b>{escape(figure)}</b><span>{escape(what)}</span></div>'
        for figure, what, how in values) + '</div>')


def table(head: Sequence[object], rows: Iterable[Sequence[object]], kind: str = '') -> Html:
    """
    Return a table that scrolls by itself where it is wider than the page.

    :param head: of the columns.
    :param rows: cells; `Html` as it is, other text escaped.
    :param kind: class of the table.
    """
    top = ''.join(f'<th scope="col">{cell(value)}</th>' for value in head)
    body = ''.join('<tr>' + ''.join(f'<td>{cell(value)}</td>' for value in row) + '</tr>'
                   for row in rows)
    return Html(f'<div class="scroll"><table class="{escape(kind)}"><thead><tr>{top}</tr></thead>'
                f'<tbody>{body}</tbody></table></div>')


def bar(share: float | None, low: float | None = None, high: float | None = None) -> Html:
    """
    Return a share of one as a bar with its figure, and its interval where that is known.

    :param share: 0..1; None or NaN is a dash.
    :param low: end of the interval.
    :param high: other end of it.
    """
    if share is None or math.isnan(share):
        return Html('-')
    interval = said = ''
    if low is not None and high is not None and not math.isnan(low + high):
        interval = f'<i style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>'
        said = f'<small class="figure">{100 * low:.1f} … {100 * high:.1f}</small>'
    return Html(f'<span class="figure">{100 * share:.1f} %</span><span class="bar">'
                f'<b style="width:{100 * share:.1f}%"></b>{interval}</span>{said}')


def chart(name: str, caption: str, height: str = '22rem') -> Html:
    """
    Return where ``page.js`` draws the figure whose data have this name.

    :param name: of the data: plotly's ``traces`` and ``layout``; a colour of the style may be
        named as ``--sure``.
    :param caption: below it.
    :param height: of it, CSS.
    """
    return Html(f'<figure class="wide"><div class="chart" data-chart="{escape(name)}" '
                f'style="height:{escape(height)}"></div><figcaption>{escape(caption)}'
                '</figcaption></figure>')
