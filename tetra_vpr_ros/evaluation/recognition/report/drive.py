# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of a map on a drive: the table, the time line on the plan, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tetra_vpr_ros.evaluation.recognition.answering_drive import DriveAnswers
from tetra_vpr_ros.evaluation.recognition.metrics import Result, right_at
from tetra_vpr_ros.evaluation.recognition.report.rows import results_table
from tetra_vpr_ros.localization.mapped_places import required_belief
from tetra_vpr_ros.mapping.calibration import DEFAULT_FALSE_MATCH_RATE
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import evenly
from tetra_vpr_ros.viewing.drive_page import drive_page, DriveShown
from tetra_vpr_ros.viewing.frame.parts import chart, section
from tetra_vpr_ros.viewing.frame.pictures import Keepsakes
from tetra_vpr_ros.viewing.frame.shell import write_page

_BELIEVING = 'bayes'  # the filter whose confidence is a belief that must reach a bound
_POINTS = 1000        # of a curve that are drawn


def drive_report(folder: Path, map_file: Path, bag: Path, results: Sequence[Result],
                 drives: Sequence[DriveAnswers], pictures: Keepsakes, radius: float) -> None:
    """
    Write the page of an evaluation of a map on a bag.

    :param folder: to write into.
    :param map_file: the map.
    :param bag: the drive.
    :param results: of each filter.
    :param drives: what they were made from, in the same order, all of the same frames.
    :param pictures: of the frames.
    :param radius: metres within which a place is true.
    :raises MapError: the map cannot be read.
    :raises ViewingError: plotly is not installed.
    """
    shown = [DriveShown(
        result.filter_name, drive.estimates, right_at(drive.answers, drive.truth, 1),
        required_belief(DEFAULT_FALSE_MATCH_RATE)
        if result.filter_name.startswith(_BELIEVING) else None)
        for result, drive in zip(results, drives)]
    with PlaceMap.open_file(map_file) as place_map:
        write_page(folder, drive_page(
            f'{bag.name} on {map_file.name}', place_map, drives[0].positions, drives[0].stamps,
            shown, pictures, radius, str(results_table(results)),
            str(section('Precision and recall', chart(
                'curves', 'Of the best match, over all bounds on how sure it is.'))),
            {'curves': _curves(results)}))


def _curves(results: Sequence[Result]) -> dict[str, Any]:
    """Return the figure of precision over recall."""
    traces = []
    colours = ('--sure', '--wrong', '--other', '--doubt', '--query')
    for number, result in enumerate(results):
        precision, recall = result.curve
        at = evenly(len(recall), _POINTS)
        traces.append({'type': 'scatter', 'mode': 'lines', 'name': result.filter_name,
                       'x': (100 * recall[at]).round(2).tolist(),
                       'y': (100 * precision[at]).round(2).tolist(),
                       'line': {'color': colours[number % len(colours)], 'width': 2.5,
                                'dash': ('solid', 'dash', 'dot')[number % 3]}})
    return {'traces': traces, 'layout': {
        'showlegend': True,
        'xaxis': {'title': {'text': 'recall [%]'}, 'range': [0, 101]},
        'yaxis': {'title': {'text': 'precision [%]'}, 'range': [0, 103]}}}
