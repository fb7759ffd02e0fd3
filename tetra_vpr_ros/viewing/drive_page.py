# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The time line of a drive on the plan of its map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.localization.estimate import Estimate
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.viewing.frame.parts import header, Html, section, tiles
from tetra_vpr_ros.viewing.frame.pictures import carried, Keepsakes, small_picture
from tetra_vpr_ros.viewing.frame.plotly_bundle import plotly_script
from tetra_vpr_ros.viewing.frame.shell import escape, own_file, packed, page

ACCEPTED, WRONG, DOUBTED = 0, 1, 2

_PICTURES = 3_500_000    # bytes of the pictures of frames, and as many of places
_REASON = 160            # characters of a reason that are shown
_MOMENTS = 20_000        # of which all is told
_WORST = 24              # mistakes whose pictures are wanted most


@dataclass(frozen=True)
class DriveShown:
    """
    How one localizer fared on a drive.

    :ivar name: of the localizer.
    :ivar estimates: of each frame.
    :ivar right: whether the best place is true, bool ``[frames]``.
    :ivar required: belief from which it accepts; None where it has no such bound.
    """

    name: str
    estimates: Sequence[Estimate]
    right: NDArray[np.bool_]
    required: float | None

    def states(self) -> NDArray[np.int8]:
        """Return `ACCEPTED` (and right), `WRONG` (and accepted) or `DOUBTED` for each frame."""
        taken = np.array([estimate.accepted for estimate in self.estimates], bool)
        return np.where(taken, np.where(self.right, ACCEPTED, WRONG), DOUBTED).astype(np.int8)


def drive_page(title: str, place_map: PlaceMap, positions: NDArray[np.float64],
               stamps: NDArray[np.int64], drives: Sequence[DriveShown], pictures: Keepsakes,
               radius: float, before: str, after: str, data: Mapping[str, object]) -> str:
    """
    Return the page of a drive.

    :param title: text.
    :param place_map: open.
    :param positions: where the robot really was, metres, ``[frames, 3]``.
    :param stamps: of the frames, nanoseconds, ``[frames]``.
    :param drives: how each localizer fared, on the same frames.
    :param pictures: of the frames.
    :param radius: metres from which a candidate is elsewhere than the best.
    :param before: HTML above the time line.
    :param after: HTML below it.
    :param data: of its figures.
    :raises MapError: the map is damaged.
    :raises ViewingError: plotly is not installed.
    """
    table = place_map.places()
    step = -(-len(stamps) // _MOMENTS)
    told = np.flatnonzero((np.arange(len(stamps)) % step == 0) | np.any(
        [drive.states() == WRONG for drive in drives], axis=0))
    matches = np.stack([_matches(drive.estimates, told, table, radius) for drive in drives])
    shown = [_drive_data(drive, told, positions, found) for drive, found in zip(drives, matches)]
    wanted = [frame for one in shown for frame in one['worst']]
    seconds = (stamps[told] - stamps[0]) * 1e-9
    first = [int(row) for i in wanted for row in matches[:, i].ravel() if row >= 0]
    made: dict[str, object] = {**data, 'drive': {
        'x': packed(positions[told, 0], 'f8'), 'y': packed(positions[told, 1], 'f8'),
        'seconds': packed(seconds, 'f8'), 'placeX': packed(table.positions[:, 0], 'f8'),
        'placeY': packed(table.positions[:, 1], 'f8'), 'ids': packed(table.ids, 'f8'),
        'drives': shown,
        'frames': carried(wanted, np.arange(len(told)),
                          lambda i: pictures.picture(int(told[i])), _PICTURES),
        'places': carried(first, np.unique(matches[matches >= 0]),
                          lambda row: small_picture(place_map.thumbnail(int(table.ids[row]))),
                          _PICTURES)}}
    body = Html(''.join((
        header(title, f'{place_map.path}, {len(stamps)} frames in '
               f'{(stamps[-1] - stamps[0]) * 1e-9:.0f} s'),
        before, _time_line(drives), after, '<div id="peek" hidden></div>')))
    return page(title, body, [plotly_script(), own_file('plan.js'), own_file('drive.js')], made,
                compiles=True)


def _worst(drive: DriveShown, told: NDArray[np.int64]) -> list[int]:
    """Return the surest mistakes, as numbers of the moments that are told."""
    states, sure = drive.states()[told], np.array(
        [drive.estimates[frame].confidence for frame in told])
    wrong = np.flatnonzero(states == WRONG)
    return [int(i) for i in wrong[np.argsort(-sure[wrong], kind='stable')][:_WORST]]


def _matches(estimates: Sequence[Estimate], told: NDArray[np.int64], table: PlaceTable,
             radius: float) -> NDArray[np.int64]:
    """Return rows of the best place and of the best elsewhere, -1 for none, ``[moments, 2]``."""
    found = np.full((len(told), 2), -1, np.int64)
    for rows, frame in zip(found, told):
        candidates = estimates[frame].candidates
        if not candidates:
            continue
        best = candidates[0]
        for number, candidate in enumerate(candidates):
            if number and candidate.pose.distance_to(best.pose) <= radius:
                continue
            rows[min(number, 1)] = np.searchsorted(table.ids, candidate.place_id)
            if number:
                break
    return found


def _drive_data(drive: DriveShown, told: NDArray[np.int64], positions: NDArray[np.float64],
                matches: NDArray[np.int64]) -> dict[str, Any]:
    estimates = [drive.estimates[frame] for frame in told]
    off = [float('nan') if estimate.pose is None else
           float(np.linalg.norm(estimate.pose.position - positions[frame]))
           for frame, estimate in zip(told, estimates)]
    scores = [estimate.score for estimate in estimates]
    return {
        'name': drive.name, 'required': drive.required,
        'state': packed(drive.states()[told], 'i1'),
        'right': packed(drive.right[told], 'i1'), 'worst': _worst(drive, told),
        'belief': packed(np.array([estimate.confidence for estimate in estimates]), 'f4'),
        'off': packed(np.array(off), 'f4'), 'score': packed(np.array(scores), 'f4'),
        'bits': packed(np.array([estimate.distance for estimate in estimates]), 'i4'),
        'match': packed(matches.ravel(), 'i4'),
        'reason': {str(i): estimate.rejection[:_REASON] for i, estimate in enumerate(estimates)
                   if estimate.rejection}}


def _time_line(drives: Sequence[DriveShown]) -> Html:
    states = drives[0].states()
    counts = [int((states == state).sum()) for state in (ACCEPTED, DOUBTED, WRONG)]
    choice = ''.join(f'<option value="{number}">{escape(drive.name)}</option>'
                     for number, drive in enumerate(drives))
    share = [f'{100 * count / max(len(states), 1):.1f} %' for count in counts]
    return section(
        'Time line', tiles((
            (share[0], f'accepted and right ({drives[0].name})', 'good'),
            (share[1], 'doubted', ''),
            (share[2], f'accepted but wrong: {counts[2]} of {len(states)} frames',
             'poor' if counts[2] else 'good'),
        )), Html(
            '<div class="stage"><div><div class="plan" id="plan"></div><div class="controls">'
            f'<label>localizer <select id="localizer">{choice}</select></label>'
            '<button type="button" id="before">previous mistake</button>'
            '<button type="button" id="next">next mistake</button></div></div>'
            '<aside class="panel" id="panel"></aside></div>'
            '<input type="range" id="moment" min="0" step="1" value="0" aria-label="moment">'
            '<figure class="wide"><div class="chart" id="belief" style="height:17rem"></div>'
            '<figcaption id="believed"></figcaption></figure>'
            '<div id="mistakes"></div>'),
        lead='Touch a moment, on the plan or below it, to see the frame, the place that it was '
        'taken for, and the best place elsewhere.')
