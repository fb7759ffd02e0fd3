# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of an evaluation on folders, as wide as its page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.dataset import read_image
from tetra_vpr_ros.evaluation.recognition.methods import Encoded
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, Result
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances

_DRAWN = 4000  # queries, and places, of whose distances pictures are made: evenly chosen
_SURE, _DOUBT, _WRONG = '#0072b2', '#e69f00', '#d55e00'  # Okabe and Ito's: for all eyes


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)  # no display is needed
    return figure


def _save(figure: Any, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    return path


def curves(results: Sequence[Result], path: Path) -> Path:
    """Draw precision over recall of all methods."""
    figure = _figure(12, 4.5)
    axes = figure.subplots()
    for r in results:
        precision, recall = r.curve
        axes.plot(recall, precision, label=f'{r.method}/{r.filter_name}')
    axes.set(xlabel='recall', ylabel='precision', xlim=(0, 1), ylim=(0, 1.02),
             title='precision and recall of the best match')
    axes.grid(alpha=0.3)
    axes.legend()
    return _save(figure, path)


def distances(encoded: Encoded, truth: NDArray[np.bool_], allowed: NDArray[np.bool_] | None
              ) -> tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]:
    """
    Return distances and the truth, of no more pairs than a picture can show.

    A distance is NaN where a place may not be the answer.
    """
    shown = np.ix_(*(np.arange(0, count, -(-count // _DRAWN)) for count in truth.shape))
    queries, database = encoded.queries[shown[0][:, 0]], encoded.database[shown[1][0]]
    if encoded.binary:
        found = hamming_distances(queries, database).astype(float)
    else:
        found = np.asarray(1.0 - queries @ database.T)
    return found if allowed is None else np.where(allowed[shown], found, np.nan), truth[shown]


def histograms(distances: NDArray[np.floating[Any]], truth: NDArray[np.bool_], encoded: Encoded,
               path: Path) -> Path:
    """Draw how far the same and different places are apart."""
    figure = _figure(12, 4)
    axes = figure.subplots()
    asked = ~np.isnan(distances)
    bins = np.linspace(distances[asked].min(), distances[asked].max() + 1e-9, 60).tolist()
    for which, label in ((truth, 'the same place'), (asked & ~truth, 'different places')):
        if which.any():
            axes.hist(distances[which], bins, density=True, alpha=0.6, label=label)
    axes.set(title=f'{encoded.name}: distances', ylabel='density',
             xlabel='distance [bits]' if encoded.binary else 'distance, one minus the cosine')
    axes.legend()
    return _save(figure, path)


def scores(answers: Answers, right: NDArray[np.bool_], foreign: Answers | None, name: str,
           path: Path) -> Path:
    """Draw how sure right, wrong and foreign best matches look."""
    figure = _figure(12, 4)
    axes = figure.subplots()
    answered = answers.ranked[:, 0] >= 0
    shown = [(answers.scores[right], 'right', _SURE),
             (answers.scores[answered & ~right], 'wrong', _DOUBT)]
    if foreign is not None:
        shown.append((foreign.scores, 'of foreign worlds', _WRONG))
    bins = np.histogram_bin_edges(np.concatenate([scores for scores, *_ in shown]), 40).tolist()
    for scores, label, colour in shown:
        if len(scores):
            axes.hist(scores, bins, weights=np.full(len(scores), 100 / len(scores)), alpha=0.55,
                      label=f'{label} ({len(scores)})', color=colour)
    axes.set(title=f'{name}: best matches', xlabel='score, larger is surer',
             ylabel='share of the frames [%]')
    axes.legend()
    return _save(figure, path)


def similarity(distances: NDArray[np.floating[Any]], truth: NDArray[np.bool_], name: str,
               path: Path) -> Path:
    """Draw the distances of all queries to all places, and the truth."""
    figure = _figure(12, 7)
    axes = figure.subplots()
    axes.imshow(-distances, cmap='gray', aspect='auto')
    queries, places = np.nonzero(truth)
    axes.scatter(places, queries, s=1, c=_DOUBT, alpha=0.4, label='truth')
    axes.set(title=f'{name}: similarity', xlabel='place', ylabel='query')
    return _save(figure, path)


def pairs(chosen: Sequence[int], answers: Answers, right: NDArray[np.bool_],
          database: Sequence[Path], queries: Sequence[Path], path: Path) -> Path:
    """Write queries beside their best places, with a frame that says whether it is right."""
    rows = []
    for query in chosen:
        pair = [cv2.resize(read_image(file), (320, 240), interpolation=cv2.INTER_AREA)
                for file in (queries[query], database[int(answers.ranked[query, 0])])]
        row = np.asarray(np.hstack(pair), np.uint8)
        colour = (0, 114, 178) if right[query] else (213, 94, 0)
        rows.append(cv2.copyMakeBorder(row, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=colour))
    if len(rows) > 1:  # two beside each other fill the page
        rows += [np.full_like(rows[0], 255)] * (len(rows) % 2)
        rows = [np.hstack(rows[i:i + 2]) for i in range(0, len(rows), 2)]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    return path


def way(answers: Answers, right: NDArray[np.bool_],
        positions: tuple[NDArray[np.float64], NDArray[np.float64]], name: str, path: Path
        ) -> Path:
    """Draw where queries were found, and which places the others were taken for."""
    places, queries = (values[:, :2] for values in positions)
    figure = _figure(12, 7)
    axes = figure.subplots()
    axes.plot(*places.T, '.', color='lightgray', label='places')
    matched = places[answers.ranked[:, 0]]
    wrong = ~right & (answers.ranked[:, 0] >= 0)
    for at, to in zip(queries[wrong], matched[wrong]):
        axes.plot([at[0], to[0]], [at[1], to[1]], color=_WRONG, linewidth=0.5)
    for which, mark, colour, label in ((right, '.', _SURE, 'found'),
                                       (~right, 'x', _WRONG, 'not found')):
        axes.plot(*queries[which].T, mark, color=colour, label=f'query, {label}')
    axes.set(title=f'{name}: best matches', xlabel='x [m]', ylabel='y [m]', aspect='equal')
    axes.legend()
    return _save(figure, path)
