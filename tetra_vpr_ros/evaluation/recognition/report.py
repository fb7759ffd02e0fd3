# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""An evaluation as one page that needs nothing but itself, and its pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
import html
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.dataset import read_image
from tetra_vpr_ros.evaluation.recognition.methods import Encoded
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, RANKS, Result, right_at
from tetra_vpr_ros.localization import Estimate
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances

_SHOWN = 4
_DRAWN = 4000  # queries, and places, of whose distances pictures are made: evenly chosen
_STYLE = ('body{font:15px sans-serif;max-width:70em;margin:2em auto;padding:0 1em}'
          'table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.3em .6em;'
          'text-align:right}img{max-width:100%}')


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


def _curves(results: Sequence[Result], path: Path) -> Path:
    figure = _figure(6, 4)
    axes = figure.subplots()
    for r in results:
        precision, recall = r.curve
        axes.plot(recall, precision, label=f'{r.method}/{r.filter_name}')
    axes.set(xlabel='recall', ylabel='precision', xlim=(0, 1), ylim=(0, 1.02),
             title='precision and recall of the best match')
    axes.grid(alpha=0.3)
    axes.legend()
    return _save(figure, path)


def _distances(encoded: Encoded, truth: NDArray[np.bool_], allowed: NDArray[np.bool_] | None
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


def _histograms(distances: NDArray[np.floating[Any]], truth: NDArray[np.bool_], name: str,
                path: Path) -> Path:
    figure = _figure(6, 3.5)
    axes = figure.subplots()
    asked = ~np.isnan(distances)
    bins = np.linspace(distances[asked].min(), distances[asked].max() + 1e-9, 60).tolist()
    for which, label in ((truth, 'the same place'), (asked & ~truth, 'different places')):
        if which.any():
            axes.hist(distances[which], bins, density=True, alpha=0.6, label=label)
    axes.set(title=f'{name}: distances', xlabel='distance', ylabel='density')
    axes.legend()
    return _save(figure, path)


def _scores(answers: Answers, right: NDArray[np.bool_], foreign: Answers | None, name: str,
            path: Path) -> Path:
    """Draw how sure right, wrong and foreign best matches look."""
    figure = _figure(6, 3.5)
    axes = figure.subplots()
    answered = answers.ranked[:, 0] >= 0
    shown = [(answers.scores[right], 'right', 'tab:green'),
             (answers.scores[answered & ~right], 'wrong', 'tab:orange')]
    if foreign is not None:
        shown.append((foreign.scores, 'of foreign worlds', 'tab:red'))
    bins = np.histogram_bin_edges(np.concatenate([scores for scores, *_ in shown]), 40).tolist()
    for scores, label, colour in shown:
        if len(scores):
            axes.hist(scores, bins, weights=np.full(len(scores), 100 / len(scores)), alpha=0.55,
                      label=f'{label} ({len(scores)})', color=colour)
    axes.set(title=f'{name}: best matches', xlabel='score, larger is surer',
             ylabel='share of the frames [%]')
    axes.legend()
    return _save(figure, path)


def _similarity(distances: NDArray[np.floating[Any]], truth: NDArray[np.bool_], name: str,
                path: Path) -> Path:
    figure = _figure(6, 6)
    axes = figure.subplots()
    axes.imshow(-distances, cmap='gray', aspect='auto')
    queries, places = np.nonzero(truth)
    axes.scatter(places, queries, s=1, c='tab:green', alpha=0.4, label='truth')
    axes.set(title=f'{name}: similarity', xlabel='place', ylabel='query')
    return _save(figure, path)


def _pairs(chosen: Sequence[int], answers: Answers, right: NDArray[np.bool_],
           database: Sequence[Path], queries: Sequence[Path], path: Path) -> Path:
    rows = []
    for query in chosen:
        pair = [cv2.resize(read_image(file), (320, 240), interpolation=cv2.INTER_AREA)
                for file in (queries[query], database[int(answers.ranked[query, 0])])]
        row = np.asarray(np.hstack(pair), np.uint8)
        colour = (30, 160, 30) if right[query] else (200, 30, 30)
        rows.append(cv2.copyMakeBorder(row, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=colour))
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    return path


def _way(answers: Answers, right: NDArray[np.bool_],
         positions: tuple[NDArray[np.float64], NDArray[np.float64]], name: str, path: Path
         ) -> Path:
    places, queries = (values[:, :2] for values in positions)
    figure = _figure(6, 6)
    axes = figure.subplots()
    axes.plot(*places.T, '.', color='lightgray', label='places')
    matched = places[answers.ranked[:, 0]]
    wrong = ~right & (answers.ranked[:, 0] >= 0)
    for at, to in zip(queries[wrong], matched[wrong]):
        axes.plot([at[0], to[0]], [at[1], to[1]], color='tab:red', linewidth=0.5)
    for which, colour, label in ((right, 'tab:green', 'found'), (~right, 'tab:red', 'not found')):
        axes.plot(*queries[which].T, '.', color=colour, label=f'query, {label}')
    axes.set(title=f'{name}: best matches', xlabel='x [m]', ylabel='y [m]', aspect='equal')
    axes.legend()
    return _save(figure, path)


def _trajectory(results: Sequence[Result],
                drives: Sequence[tuple[NDArray[np.float64], list[Estimate]]],
                path: Path) -> Path:
    figure = _figure(6 * len(drives), 5)
    for axes, result, (positions, estimates) in zip(
            np.atleast_1d(figure.subplots(1, len(drives))), results, drives):
        axes.plot(positions[:, 0], positions[:, 1], color='tab:orange', label='truth')
        for at, estimate in zip(positions, estimates):
            if estimate.accepted and estimate.pose is not None:
                x, y, _ = estimate.pose.position
                axes.plot([at[0], x], [at[1], y], color='tab:green', linewidth=0.6)
        axes.set(title=f'{result.filter_name}: accepted matches', xlabel='x [m]',
                 ylabel='y [m]', aspect='equal')
        axes.legend()
    return _save(figure, path)


def _page(folder: Path, results: Sequence[Result], pictures: Sequence[tuple[str, Path]]) -> None:
    head = ['method', 'filter', 'n', *(f'recall@{k}' for k in RANKS), 'AP',
            'recall at 100 % precision', 'accepted', 'right of them', 'ms p50', 'ms p95',
            'bytes a place']
    body = []
    for r in results:
        shares = [*(r.recall[k] for k in RANKS), r.ap, r.recall_at_100_precision, r.accepted,
                  r.accepted_precision]
        body.append([r.method, r.filter_name, str(r.n), *(
            '-' if v is None or np.isnan(v) else f'{100 * v:.1f} %' for v in shares),
            f"{r.latency_ms['p50']:.1f}", f"{r.latency_ms['p95']:.1f}", str(r.bytes_per_place)])
    rows = ''.join('<tr>' + ''.join(f'<td>{html.escape(cell)}</td>' for cell in row) + '</tr>'
                   for row in body)
    shown = ''.join(
        f'<h2>{html.escape(title)}</h2><img alt="{html.escape(title)}" src="data:image/png;base64,'
        f'{base64.b64encode(path.read_bytes()).decode()}">' for title, path in pictures)
    (folder / 'index.html').write_text(
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Place recognition'
        f'</title><style>{_STYLE}</style></head><body><h1>Place recognition</h1><table><tr>'
        + ''.join(f'<th>{html.escape(cell)}</th>' for cell in head)
        + f'</tr>{rows}</table>{shown}</body></html>')


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
    pictures = [('Precision and recall', _curves(results, folder / 'precision_recall.png'))]
    drawn = set()
    for number, (result, (encoded, answers)) in enumerate(zip(results, made)):
        name = f'{result.method}/{result.filter_name}'
        if encoded.name not in drawn:
            drawn.add(encoded.name)
            distances, same = _distances(encoded, truth, allowed)
            pictures.append((f'Distances of {encoded.name}', _histograms(
                distances, same, encoded.name, folder / f'distances_{number}.png')))
            pictures.append((f'Similarity of {encoded.name}', _similarity(
                distances, same, encoded.name, folder / f'similarity_{number}.png')))
        right = right_at(answers, truth, 1)
        pictures.append((f'Scores of {name}', _scores(
            answers, right, foreign[number] if foreign else None, name,
            folder / f'scores_{number}.png')))
        if positions is not None:
            pictures.append((f'Way of {name}', _way(
                answers, right, positions, name, folder / f'trajectory_{number}.png')))
        order = np.argsort(-answers.scores, kind='stable')
        order = order[answers.ranked[order, 0] >= 0]
        wrong = [int(i) for i in order if not right[i]][:_SHOWN]
        good = [int(i) for i in order if right[i]][:_SHOWN]
        for title, chosen, file in (('Surest matches', good, 'best'),
                                    ('Surest mistakes', wrong, 'worst')):
            if chosen:
                pictures.append((f'{title} of {name} (query, place)', _pairs(
                    chosen, answers, right, database, queries, folder / f'{file}_{number}.png')))
    _page(folder, results, pictures)


def drive_report(folder: Path, results: Sequence[Result],
                 drives: Sequence[tuple[NDArray[np.float64], list[Estimate]]]) -> None:
    """
    Write the page of an evaluation of a map on a bag.

    :param folder: to write into.
    :param results: of each filter.
    :param drives: true positions and estimates of each, in the same order.
    """
    _page(folder, results, [
        ('Precision and recall', _curves(results, folder / 'precision_recall.png')),
        ('Trajectory', _trajectory(results, drives, folder / 'trajectory.png'))])
