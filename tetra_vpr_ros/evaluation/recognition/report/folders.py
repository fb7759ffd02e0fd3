# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of an evaluation on folders: the table, mistakes, matches, and figures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.methods import Encoded
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, Result, right_at
from tetra_vpr_ros.evaluation.recognition.report.figures import (
    curves, distances, histograms, pairs, scores, similarity, way)
from tetra_vpr_ros.evaluation.recognition.report.rows import results_table
from tetra_vpr_ros.viewing.frame.parts import header, Html, section
from tetra_vpr_ros.viewing.frame.shell import escape, page, write_page

_SHOWN = 4


def folders_report(folder: Path, results: Sequence[Result],
                   made: Sequence[tuple[Encoded, Answers]], truth: NDArray[np.bool_],
                   database: Sequence[Path], queries: Sequence[Path],
                   positions: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
                   allowed: NDArray[np.bool_] | None = None,
                   foreign: Sequence[Answers] = ()) -> None:
    """
    Write the page of an evaluation on folders.

    :param folder: to write into.
    :param results: of each method and filter.
    :param made: what they were made from, in the same order.
    :param truth: bool ``[queries, places]``.
    :param database: image files of the places.
    :param queries: image files of the queries.
    :param positions: where places and queries were taken, metres; None leaves the way out.
    :param allowed: bool ``[queries, places]``, which places may be answers; None is all.
    :param foreign: what each answered to pictures of other worlds, in the same order; or none.
    """
    figures = [('Precision and recall', curves(results, folder / 'precision_recall.png'))]
    pictures = []
    drawn = set()
    for number, (result, (encoded, answers)) in enumerate(zip(results, made)):
        name = f'{result.method}/{result.filter_name}'
        if encoded.name not in drawn:
            drawn.add(encoded.name)
            apart, same = distances(encoded, truth, allowed)
            figures.append((f'Distances of {encoded.name}', histograms(
                apart, same, encoded, folder / f'distances_{number}.png')))
            figures.append((f'Similarity of {encoded.name}', similarity(
                apart, same, encoded.name, folder / f'similarity_{number}.png')))
        right = right_at(answers, truth, 1)
        figures.append((f'Scores of {name}', scores(
            answers, right, foreign[number] if foreign else None, name,
            folder / f'scores_{number}.png')))
        if positions is not None:
            figures.append((f'Way of {name}', way(
                answers, right, positions, name, folder / f'trajectory_{number}.png')))
        order = np.argsort(-answers.scores, kind='stable')
        order = order[answers.ranked[order, 0] >= 0]
        wrong = [int(i) for i in order if not right[i]][:_SHOWN]
        good = [int(i) for i in order if right[i]][:_SHOWN]
        for title, chosen, file in (('Surest mistakes', wrong, 'worst'),
                                    ('Surest matches', good, 'best')):
            if chosen:
                pictures.append((f'{title} of {name} (query, place)', pairs(
                    chosen, answers, right, database, queries, folder / f'{file}_{number}.png')))
    title = 'Place recognition'
    asked, places = (len(files) for files in (queries, database))
    write_page(folder, page(title, ''.join((
        header(title, f'{asked} queries of {queries[0].parent} in {places} places of '
               f'{database[0].parent}'),
        results_table(results), *(_picture(*picture) for picture in (*pictures, *figures))))))


def _picture(title: str, path: Path) -> Html:
    data = base64.b64encode(path.read_bytes()).decode()
    return section(title, Html(f'<figure class="wide"><img alt="{escape(title)}" '
                               f'src="data:image/png;base64,{data}"></figure>'))
