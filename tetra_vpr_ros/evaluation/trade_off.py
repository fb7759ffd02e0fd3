# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Draw what models are right about against what they cost, from what ``evaluate --json`` wrote.

``python -m tetra_vpr_ros.evaluation.trade_off --out models.png day.json night.json`` needs files
that hold the same methods, measured in one run each: ``evaluate --model A --model B --json …``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import json
from pathlib import Path

import numpy as np
from tetra_vpr_ros.command_line import make_folders, run_command
from tetra_vpr_ros.vision import find_model, ModelError


@dataclass(frozen=True)
class TradeOff:
    """
    A method over several data sets.

    :ivar method: name of the model.
    :ivar second_look: whether candidates were compared by their patch tokens.
    :ivar recall: recall@1 in per cent, the mean over the sets.
    :ivar ms: from the file of a query to its answer, the median of the sets' medians.
    :ivar bytes_per_place: of a map.
    """

    method: str
    second_look: bool
    recall: float
    ms: float
    bytes_per_place: int


def collect(files: Sequence[Path]) -> list[TradeOff]:
    """
    Gather what was measured of each method.

    :param files: of ``evaluate --json``, one for each data set.
    :returns: of the filter ``single``, without and with the second look.
    :raises ValueError: a file holds nothing of the kind, or other methods than the first.
    """
    rows: dict[tuple[str, str], list[dict[str, dict[str, float]]]] = {}
    for file in files:
        try:
            results = {(entry['method'], entry['filter']): entry
                       for entry in json.loads(file.read_text())
                       if entry['filter'].partition('+')[0] == 'single'}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} is none that 'evaluate --json' wrote") from error
        if not results:
            raise ValueError(f"{file} has no rows of 'evaluate --filter single'")
        if rows and set(rows) != set(results):
            raise ValueError(f'{file} holds {sorted(results)}, {files[0]} {sorted(rows)}: measure '
                             'the same models on all sets')
        for key, entry in results.items():
            rows.setdefault(key, []).append(entry)
    return [TradeOff(method, '+' in looked,
                     100 * float(np.mean([entry['recall']['1'] for entry in entries])),
                     float(np.median([entry['latency_ms']['p50'] for entry in entries])),
                     int(entries[0]['bytes_per_place']))  # type: ignore[call-overload]
            for (method, looked), entries in rows.items()]


def draw(found: Sequence[TradeOff], megabytes: dict[str, float], path: Path) -> None:
    """
    Draw recall against milliseconds; the area of a point is the size of the model's file.

    :param found: of `collect`.
    :param megabytes: of each model's file.
    :param path: of the picture.
    """
    from matplotlib.figure import Figure
    figure = Figure(figsize=(6, 3.6), layout='constrained')
    axes = figure.add_subplot()
    for i, method in enumerate(dict.fromkeys(entry.method for entry in found)):
        own = sorted((entry for entry in found if entry.method == method),
                     key=lambda entry: entry.second_look)
        colour, size = f'C{i}', megabytes[method]
        side = -1 if i % 2 else 1  # models that are about as fast stand beside each other
        axes.plot([entry.ms for entry in own], [entry.recall for entry in own], color=colour)
        for entry in own:
            axes.scatter(entry.ms, entry.recall, s=60 * size, color=colour, zorder=2,
                         facecolor=colour if entry.second_look else 'white')
            what = 'second look' if entry.second_look else 'descriptor alone'
            axes.annotate(f'{what}\n{entry.recall:.0f} %, {entry.bytes_per_place} bytes a place',
                          (entry.ms, entry.recall), (12 * side, 0), textcoords='offset points',
                          fontsize=7, va='center', ha='left' if side > 0 else 'right')
        axes.plot([], [], color=colour, marker='o', label=f'{method}, {size:.1f} MB')
    axes.set(xlabel='ms from the file of a picture to its place, median',
             ylabel='recall@1 of one frame, %')
    axes.margins(y=0.15)
    axes.set_xlim(0, 1.5 * max(entry.ms for entry in found))  # with room for the labels
    axes.grid(alpha=0.3)
    axes.legend(loc='lower right', fontsize=8)
    figure.savefig(path, dpi=130)


def main(args: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog='trade_off', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('files', type=Path, nargs='+', help="of 'evaluate --json'")
    parser.add_argument('--model', type=Path, action='append', default=[], metavar='FILE.onnx',
                        help='file of a method that does not come with the package, repeatable')
    parser.add_argument('--out', type=Path, required=True, metavar='OUT.png')
    options = parser.parse_args(None if args is None else list(args))
    return run_command(lambda: _draw_asked(options), (ModelError, ValueError), 'trade_off',
                       'trade_off: interrupted')


def _draw_asked(options: argparse.Namespace) -> int:
    make_folders(options.out)
    found = collect(options.files)
    own = {path.stem: path for path in options.model}
    files = {entry.method: own.get(entry.method, find_model(entry.method)) for entry in found}
    missing = [method for method, file in files.items() if not file.is_file()]
    if missing:
        raise ValueError(f'there is no file of {missing[0]}: name it with --model')
    sizes = {method: file.stat().st_size / 1e6 for method, file in files.items()}
    draw(found, sizes, options.out)
    print('| model | MB | bytes a place | recall@1 | ms |\n|---|---|---|---|---|')
    for entry in found:
        print(f"| {entry.method}{', second look' if entry.second_look else ''} | "
              f'{sizes[entry.method]:.1f} | {entry.bytes_per_place} | {entry.recall:.1f} | '
              f'{entry.ms:.0f} |')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
