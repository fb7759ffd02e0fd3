# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure place recognition on folders of images, or a map on a bag.

``evaluate --database day --queries night --ground-truth frames:2 --filter bayes``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import csv
import json
from pathlib import Path
import sys

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.evaluation.recognition.answering import answer, answer_bag
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError, images_of
from tetra_vpr_ros.evaluation.recognition.ground_truth import KINDS, read_positions, read_truth
from tetra_vpr_ros.evaluation.recognition.methods import (
    BASELINES, encode_with, encode_with_model, Encoded)
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, judge, RANKS, Result
from tetra_vpr_ros.evaluation.recognition.reranking import rerank
from tetra_vpr_ros.localization import FILTERS
from tetra_vpr_ros.localization.verification import METHODS
from tetra_vpr_ros.mapping import BagError, MapError
from tetra_vpr_ros.vision import default_model_path, ModelError


def table(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table, in per cent."""
    def share(value: float | None) -> str:
        return '-' if value is None or np.isnan(value) else f'{100 * value:.1f}'

    lines = ['| method | filter | n | ' + ' | '.join(f'R@{k}' for k in RANKS) + ' | AP | R@100P '
             '| accepted | right of them | ms p50/p95 | bytes |', '|---' * (9 + len(RANKS)) + '|']
    for r in results:
        low, high = r.ci95[1]
        cells = [f'{share(r.recall[1])} [{share(low)}, {share(high)}]',
                 *(share(r.recall[k]) for k in RANKS[1:]), share(r.ap),
                 share(r.recall_at_100_precision), share(r.accepted),
                 share(r.accepted_precision),
                 f"{r.latency_ms['p50']:.1f}/{r.latency_ms['p95']:.1f}", str(r.bytes_per_place)]
        lines.append(f'| {r.method} | {r.filter_name} | {r.n} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def write_csv(results: Sequence[Result], path: Path) -> None:
    """Write one row for each result."""
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['method', 'filter', 'n', *(f'recall_at_{k}' for k in RANKS),
                         'ci95_low', 'ci95_high', 'ap', 'recall_at_100_precision', 'accepted',
                         'accepted_precision', 'p50_ms', 'p95_ms', 'bytes_per_place'])
        for r in results:
            writer.writerow([r.method, r.filter_name, r.n, *(r.recall[k] for k in RANKS),
                             *r.ci95[1], r.ap, r.recall_at_100_precision, r.accepted,
                             r.accepted_precision, r.latency_ms['p50'], r.latency_ms['p95'],
                             r.bytes_per_place])


def encode_all(models: Sequence[Path], methods: Sequence[str], database: Sequence[Path],
               queries: Sequence[Path]) -> list[Encoded]:
    """Encode both folders with everything that was asked for."""
    if not models and not methods:
        models = [default_model_path()]
    return ([encode_with_model(model, database, queries) for model in models]
            + [encode_with(name, database, queries) for name in methods])


def evaluate_folders(database: Path, queries: Path, ground_truth: str,
                     models: Sequence[Path] = (), methods: Sequence[str] = (),
                     filters: Sequence[str] = ('single',), verification: str | None = None
                     ) -> tuple[list[Result], list[tuple[Encoded, Answers]], NDArray[np.bool_]]:
    """
    Measure methods on two folders of images.

    :param database: images of the places.
    :param queries: images to be found.
    :param ground_truth: see `read_truth`.
    :param models: model files; with neither these nor methods, the shipped one.
    :param methods: of `BASELINES`.
    :param filters: of `FILTERS`; every method is run with every filter.
    :param verification: geometric method by which the best ten places are ordered again, in
        further rows.
    :returns: a result for each method and filter, what it was made from, and the truth.
    :raises DatasetError: a folder, an image or the ground truth cannot be used.
    :raises ModelError: a model cannot be used.
    """
    places, asked = images_of(database), images_of(queries)
    truth = read_truth(ground_truth, places, asked)
    results, made = [], []
    for encoded in encode_all(models, methods, places, asked):
        for name in filters:
            answers = answer(encoded, name)
            results.append(judge(encoded.name, name, answers, truth))
            made.append((encoded, answers))
            if verification is not None:
                again = rerank(answers, places, asked, verification)
                results.append(judge(encoded.name, f'{name}+{verification}', again, truth))
                made.append((encoded, again))
    return results, made, truth


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='evaluate', description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add('--database', type=Path, metavar='DIR', help='images of the places')
    add('--queries', type=Path, metavar='DIR', help='images to be found')
    add('--ground-truth', default='utm:25', metavar='HOW',
        help=f"{', '.join(KINDS)} (default: utm:25)")
    add('--model', type=Path, action='append', default=[], metavar='FILE.onnx',
        help='model, repeatable (default: the shipped one)')
    add('--method', choices=BASELINES, action='append', default=[],
        help='baseline without a model, repeatable')
    add('--filter', choices=FILTERS, action='append', default=[], dest='filters',
        help='localizer, repeatable (default: single)')
    add('--rerank', choices=METHODS[1:], metavar='HOW',
        help=f"order the best ten places by geometry, too: {', '.join(METHODS[1:])}")
    add('--map', type=Path, metavar='FILE.vpr', help='instead of folders: a map …')
    add('--bag', type=Path, metavar='BAG', help='… and a drive with poses in its frame')
    add('--radius', type=float, default=5.0, metavar='M',
        help='metres within which a place of the map is true (default: 5)')
    add('--image-topic', help='of the bag; found by type when there is just one')
    add('--pose-topic', help='of the bag; found by type when there is just one')
    add('--json', type=Path, metavar='OUT')
    add('--csv', type=Path, metavar='OUT')
    add('--report', type=Path, metavar='DIR', help='write a page and its pictures')
    return parser


def main(args: Sequence[str] | None = None) -> int:
    """
    Evaluate from the command line.

    :returns: 0, or 1 on an error.
    """
    parser = _parser()
    options = parser.parse_args(None if args is None else list(args))
    folders, drive = (options.database, options.queries), (options.map, options.bag)
    if all(folders) == all(drive) or any(folders) == any(drive):
        parser.error('name --database and --queries, or --map and --bag')
    filters = options.filters or ['single']
    try:
        if options.report:
            options.report.mkdir(parents=True, exist_ok=True)
        if all(folders):
            results, made, truth = evaluate_folders(
                *folders, options.ground_truth, options.model, options.method, filters,
                options.rerank)
            if options.report:
                from tetra_vpr_ros.evaluation.recognition.report import folders_report
                files = images_of(folders[0]), images_of(folders[1])
                folders_report(options.report, results, made, truth, *files,
                               read_positions(options.ground_truth, *files))
        else:
            results, pages = [], []
            for name in filters:
                answers, truth, positions, estimates = answer_bag(
                    *drive, name, options.model[0] if options.model else None,
                    options.image_topic, options.pose_topic, options.radius)
                results.append(judge(drive[0].stem, name, answers, truth))
                pages.append((positions, estimates))
            if options.report:
                from tetra_vpr_ros.evaluation.recognition.report import drive_report
                drive_report(options.report, results, pages)
        if options.json:
            options.json.write_text(json.dumps([r.as_json() for r in results], indent=1) + '\n')
        if options.csv:
            write_csv(results, options.csv)
    except (DatasetError, ModelError, MapError, BagError, OSError) as error:
        print(f'evaluate: {error}', file=sys.stderr)
        return 1
    print(table(results))
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
