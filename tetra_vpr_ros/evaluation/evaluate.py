# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure place recognition on folders of images, or a map on a bag.

``evaluate --database day --queries night --ground-truth frames:2 --filter bayes``

Where the model has patch tokens, ``single`` has a second row: ``single+tokens``, after the
second look at its first candidates, with what that adds to latency and bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import json
from pathlib import Path
import sys

import numpy as np
from numpy.typing import NDArray
from tetra_vpr_ros.command_line import at_least_zero, make_folders, run_command, whole
from tetra_vpr_ros.evaluation.recognition.answering import answer, answer_strangers
from tetra_vpr_ros.evaluation.recognition.answering_drive import (
    answer_bag, DriveAnswers, look_on_map)
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError, images_of
from tetra_vpr_ros.evaluation.recognition.earlier import answer_earlier, earlier_frames
from tetra_vpr_ros.evaluation.recognition.ground_truth import KINDS, read_positions, read_truth
from tetra_vpr_ros.evaluation.recognition.methods import (
    BASELINES, encode_with, encode_with_model, Encoded, require_tokens)
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, judge, Result
from tetra_vpr_ros.evaluation.recognition.recall import encode_files
from tetra_vpr_ros.evaluation.recognition.reranking import rerank
from tetra_vpr_ros.evaluation.recognition.tables import table, write_csv
from tetra_vpr_ros.localization import FILTERS
from tetra_vpr_ros.localization.second_look import SECOND_LOOK
from tetra_vpr_ros.localization.verification import METHODS
from tetra_vpr_ros.mapping import BagError, BuildOptions, MapError
from tetra_vpr_ros.mapping.camera import MOUNTS
from tetra_vpr_ros.mapping.sources.bag_arguments import add_bag_arguments, bag_options
from tetra_vpr_ros.viewing import ViewingError
from tetra_vpr_ros.viewing.frame.pictures import Keepsakes
from tetra_vpr_ros.viewing.frame.plotly_bundle import plotly_script
from tetra_vpr_ros.vision import default_model_path, ModelError, PlaceEncoder

GEOMETRY = METHODS[1:]
RERANKINGS = ('tokens', 'none', *GEOMETRY)
"""Ways to order the best places again."""


def encode_all(models: Sequence[Path], methods: Sequence[str], database: Sequence[Path],
               queries: Sequence[Path], tokens: bool, camera_mount: str = 'forward'
               ) -> list[Encoded]:
    """Encode both folders with everything that was asked for."""
    return ([encode_with_model(model, database, queries, tokens, camera_mount)
             for model in models]
            + [encode_with(name, database, queries) for name in methods])


def evaluate_folders(database: Path, queries: Path, ground_truth: str,
                     models: Sequence[Path] = (), methods: Sequence[str] = (),
                     filters: Sequence[str] = ('single',), reranking: str | None = None,
                     exclude_recent: int | None = None, camera_mount: str = 'forward'
                     ) -> tuple[list[Result], list[tuple[Encoded, Answers]], NDArray[np.bool_]]:
    """
    Measure methods on two folders of images.

    :param database: images of the places.
    :param queries: images to be found.
    :param ground_truth: see `read_truth`.
    :param models: model files; with neither these nor methods, the shipped one.
    :param methods: of `BASELINES`.
    :param filters: of `FILTERS`; every method is run with every filter.
    :param reranking: of `RERANKINGS`, how the best places are ordered again, in further rows;
        None is tokens where a model has them.
    :param exclude_recent: each frame of one drive, in both folders the same, is answered only
        by earlier ones, but not by so many before it; for the filter ``single``.
    :param camera_mount: of `MOUNTS`; where it is ``down``, of four turns of each query the one
        that looks most like a place is taken. Methods without a model know no turns.
    :returns: a result for each method and filter, what it was made from, and the truth.
    :raises DatasetError: a folder, an image or the ground truth cannot be used, or tokens are
        asked for that a model does not have.
    :raises ModelError: a model cannot be used.
    """
    places, asked = images_of(database), images_of(queries)
    truth = read_truth(ground_truth, places, asked)
    if exclude_recent is not None:
        if database.resolve() != queries.resolve():
            raise DatasetError('only one drive has earlier frames: --exclude-recent needs the '
                               'same folder as --database and --queries')
        if exclude_recent >= len(asked) - 1:
            raise DatasetError(f'{queries} has {len(asked)} images: none has one more than '
                               f'{exclude_recent} before it')
        truth &= earlier_frames(len(asked), exclude_recent)
    if not models and not methods:
        models = [default_model_path()]
    if reranking == 'tokens':
        require_tokens(models)
    tokens = reranking in (None, 'tokens')

    def answered(encoded: Encoded, name: str, second_look: int) -> Answers:
        if exclude_recent is not None:
            return answer_earlier(encoded, exclude_recent, second_look)
        return answer(encoded, name, second_look)

    results, made = [], []
    for encoded in encode_all(models, methods, places, asked, tokens, camera_mount):
        for name in filters:
            rows = {name: answered(encoded, name, 0)}
            if encoded.token_bytes:
                rows[f'{name}+tokens'] = answered(encoded, name, SECOND_LOOK)
            if reranking in GEOMETRY:
                rows[f'{name}+{reranking}'] = rerank(rows[name], places, asked, reranking)
            results += [judge(encoded.name, row, found, truth) for row, found in rows.items()]
            made += [(encoded, found) for found in rows.values()]
    return results, made, truth


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='evaluate', description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add('--database', type=Path, metavar='DIR', help='images of the places')
    add('--queries', type=Path, metavar='DIR', help='images to be found')
    add('--ground-truth', metavar='HOW',
        help=f"{', '.join(KINDS)} (default: utm:25)")
    add('--model', type=Path, action='append', default=[], metavar='FILE.onnx',
        help='model, repeatable (default: the shipped one)')
    add('--method', choices=BASELINES, action='append', default=[],
        help='baseline without a model, repeatable')
    add('--filter', choices=FILTERS, action='append', default=[], dest='filters',
        help='localizer, repeatable (default: single)')
    add('--rerank', choices=RERANKINGS, metavar='HOW',
        help=f'look at the best {SECOND_LOOK} places again by their patch tokens (tokens; the\n'
        'default where model and map have them), order the best '
        f"ten\nby geometry ({', '.join(GEOMETRY)}; folders only), or not (none)")
    add('--exclude-recent', type=whole(), metavar='N',
        help='one drive against itself: a frame is answered only by frames more than N\n'
        'before it (0: any earlier one)')
    add('--camera-mount', choices=MOUNTS, default='forward',
        help='of a camera that looks straight down (down), each query is encoded in four\n'
        'quarter turns, and the best is taken (default: forward)')
    add('--map', type=Path, metavar='FILE.vpr', help='instead of folders: a map …')
    add('--bag', type=Path, metavar='BAG', help='… and a drive with poses in its frame')
    add('--radius', type=at_least_zero, default=5.0, metavar='M',
        help='metres within which a place of the map is true (default: 5)')
    add_bag_arguments(parser)
    add('--foreign', type=Path, action='append', default=[], metavar='DIR',
        help='pictures of other places, repeatable: says how many are accepted, and the page\n'
        'shows how sure they look beside the queries')
    add('--json', type=Path, metavar='OUT')
    add('--csv', type=Path, metavar='OUT')
    add('--report', type=Path, metavar='DIR', help='write a page and its pictures')
    return parser


def _on_folders(options: argparse.Namespace) -> list[Result]:
    truth_told = options.ground_truth or 'utm:25'
    results, made, truth = evaluate_folders(
        options.database, options.queries, truth_told, options.model, options.method,
        options.filters, options.rerank, options.exclude_recent,
        options.camera_mount)
    strange = _strangers(options, results, made) if options.foreign else []
    print(table(results))  # before a page that may fail
    if options.report:
        from tetra_vpr_ros.evaluation.recognition.report.folders import folders_report
        files = images_of(options.database), images_of(options.queries)
        allowed = (None if options.exclude_recent is None
                   else earlier_frames(len(files[0]), options.exclude_recent))
        folders_report(options.report, results, made, truth, *files,
                       read_positions(truth_told, *files), allowed, strange)
    return results


def _strangers(options: argparse.Namespace, results: Sequence[Result],
               made: Sequence[tuple[Encoded, Answers]]) -> list[Answers]:
    """Show the foreign pictures to each method and filter, and say how many were accepted."""
    models = options.model or [default_model_path()]
    pictures = [file for folder in options.foreign for file in images_of(folder)]
    strange = {model.stem: encode_files(PlaceEncoder(model, threads=0), pictures, progress=True)
               for model in models}
    found = []
    for result, (encoded, _) in zip(results, made):
        name, _, looked = result.filter_name.partition('+')
        answers = answer_strangers(encoded, name, SECOND_LOOK if looked else 0,
                                   strange[encoded.name])
        found.append(answers)
        taken = int(answers.accepted.sum()) if answers.accepted is not None else 0
        print(f'{result.method}/{result.filter_name}: {taken} of {len(answers.scores)} pictures '
              f"of {', '.join(map(str, options.foreign))} accepted")
    return found


def _on_a_drive(options: argparse.Namespace) -> list[Result]:
    results: list[Result] = []
    drives: list[DriveAnswers] = []
    pictures = Keepsakes() if options.report else None
    if options.report:
        plotly_script()  # before the work, should it be missing
    wanted = BuildOptions(options.map, **bag_options(options)).topics()
    for name in options.filters:
        look = look_on_map(options.map, options.rerank)
        drive = answer_bag(
            options.map, options.bag, name, options.model[0] if options.model else None,
            wanted, options.radius, look, None if drives else pictures)
        row = f'{name}+tokens' if look else name
        results.append(judge(options.map.stem, row, drive.answers, drive.truth))
        drives.append(drive)
        if name == options.filters[0]:  # the others see the same frames
            for line in drive.left_out.details():
                print(line, file=sys.stderr)
    print(table(results))
    if pictures is not None:
        from tetra_vpr_ros.evaluation.recognition.report.drive import drive_report
        drive_report(options.report, options.map, options.bag, results, drives, pictures,
                     options.radius)
    return results


def _refuse_contradictions(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End the process where options do not go together."""
    folders, drive = (options.database, options.queries), (options.map, options.bag)
    if all(folders) == all(drive) or any(folders) == any(drive):
        parser.error('name --database and --queries, or --map and --bag')
    if options.exclude_recent is not None and (options.filters != ['single'] or any(drive)):
        parser.error('--exclude-recent compares the frames of one folder, each by itself: use '
                     '--filter single')
    if options.rerank in GEOMETRY and any(drive):
        parser.error(f'--rerank {options.rerank} looks at pictures: name --database and '
                     '--queries')
    if options.foreign and (any(drive) or options.method or options.rerank in GEOMETRY
                            or options.exclude_recent is not None):
        parser.error('--foreign shows pictures to models on folders: leave out --map and --bag, '
                     '--method, --rerank by geometry and --exclude-recent')
    if options.camera_mount == 'down' and (any(drive) or options.method or options.report):
        parser.error('--camera-mount down turns the queries of a folder for a model: leave out '
                     '--map and --bag, --method and --report')
    if any(drive) and (options.method or options.ground_truth or len(options.model) > 1):
        parser.error('--map and --bag are answered by the model of the map, and the poses are the '
                     'truth: leave out --method, --ground-truth and further models')
    names = [model.stem for model in options.model]
    if len(set(names)) < len(names):
        parser.error('--model: rows are named after the files, and two have the same name: copy '
                     'one to another name')


def main(args: Sequence[str] | None = None) -> int:
    """
    Evaluate from the command line.

    :returns: 0, 1 on an error, or 130 when interrupted.
    """
    parser = _parser()
    options = parser.parse_args(None if args is None else list(args))
    options.filters = options.filters or ['single']
    _refuse_contradictions(parser, options)

    def work() -> int:
        if options.report:
            options.report.mkdir(parents=True, exist_ok=True)
        make_folders(options.json, options.csv)
        for folder in options.foreign:
            images_of(folder)
        results = _on_folders(options) if options.database else _on_a_drive(options)
        if options.json:
            options.json.write_text(json.dumps([r.as_json() for r in results], indent=1) + '\n')
        if options.csv:
            write_csv(results, options.csv)
        return 0

    return run_command(work, (DatasetError, ModelError, MapError, BagError, ViewingError),
                       'evaluate', 'evaluate: interrupted')


if __name__ == '__main__':
    raise SystemExit(main())
