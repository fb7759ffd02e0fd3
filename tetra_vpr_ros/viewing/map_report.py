# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a map knows, and where it will fail, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.pose import headings
from tetra_vpr_ros.viewing.frame.pictures import carried, small_picture
from tetra_vpr_ros.viewing.frame.plotly_bundle import plotly_script
from tetra_vpr_ros.viewing.frame.shell import as_json, own_file, packed, page, write_page
from tetra_vpr_ros.viewing.insight.knowledge import know, Knowledge, SURE
from tetra_vpr_ros.viewing.insight.look_alikes import KEPT
from tetra_vpr_ros.viewing.insight.pairs import turned_degrees
from tetra_vpr_ros.viewing.map_sections import calibration_figure, map_body

MOST_BYTES = 14_000_000
"""That a page may have, so that mail and phones take it."""

_PICTURES = 6_000_000  # bytes of the pictures, at most


def map_report(map_file: Path | str, folder: Path | str, progress: bool = True) -> Path:
    """
    Write a page about a map: where one frame will do, what looks alike, and what to do.

    :param map_file: the map.
    :param folder: to write ``index.html`` into; it is made.
    :param progress: show bars.
    :returns: the page's path.
    :raises MapError: the map cannot be read, or holds no places.
    :raises ViewingError: plotly is not installed.
    :raises OSError: the page cannot be written.
    """
    bundle = plotly_script()  # before the work, should it be missing
    with PlaceMap.open_file(map_file) as place_map:
        known = know(place_map, progress)
        data = {'map': _map_data(known), 'calibration': calibration_figure(known)}
        weight = len(bundle) + len(as_json(data))
        data['map']['pictures'] = carried(
            _wanted(known), known.looks.asked,
            lambda row: small_picture(place_map.thumbnail(int(known.table.ids[row]))),
            min(_PICTURES, MOST_BYTES - weight), progress)
    title = f'What {known.path.name} knows'
    return write_page(Path(folder), page(
        title, map_body(title, known, data['map']['pictures']),
        [bundle, own_file('plan.js'), own_file('map_report.js')], data, compiles=True))


def _wanted(known: Knowledge) -> list[int]:
    """Return the rows whose pictures are wanted most: of pairs, and of what is mistaken."""
    wanted = [row for pair in known.pairs for row in (pair.one, pair.other)]
    looks = known.looks
    for at in np.argsort(looks.sure, kind='stable')[:100]:
        wanted += [int(looks.asked[at]), *(int(row) for row in looks.rows[at] if row >= 0)]
    return wanted


def _map_data(known: Knowledge) -> dict[str, Any]:
    """Return what ``map_report.js`` reads."""
    table, looks = known.table, known.looks
    turned = [[turned_degrees(table, int(own), int(other)) if other >= 0 else 0.0
               for other in others] for own, others in zip(looks.asked, looks.rows)]
    usual = f'{looks.usually[:1].upper()}{looks.usually[1:]}.' if looks.usual.known else ''
    return {
        'x': packed(table.positions[:, 0], 'f8'), 'y': packed(table.positions[:, 1], 'f8'),
        'yaw': packed(headings(table.quaternions), 'f4'), 'session': packed(table.sessions, 'i4'),
        'ids': packed(table.ids, 'f8'), 'asked': packed(looks.asked, 'i4'),
        'sure': packed(looks.sure, 'f4'), 'alike': packed(looks.rows, 'i4'),
        'bits': packed(looks.bits, 'i4'), 'scores': packed(looks.scores, 'f4'),
        'turned': packed(np.array(turned), 'f4'), 'kept': KEPT, 'enough': SURE,
        'tokens': looks.by_tokens, 'usual': usual, 'gap': 4 * known.spacing,
        'first': int(np.argmin(looks.sure)), 'size': 13 if len(looks.asked) < 1000 else 9,
        'sessions': [{'number': session.number, 'name': session.name}
                     for session in known.sessions],
        'pictures': {}}
