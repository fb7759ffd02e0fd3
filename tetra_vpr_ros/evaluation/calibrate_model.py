# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure what right and foreign matches look like to a model, and write it into the file.

Maps keep what their model knows of that, so that a map of five places knows at once what
may be believed. The pictures should be none that the model was trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
import json
from pathlib import Path

from tetra_vpr_ros.command_line import make_folders, run_command, whole
from tetra_vpr_ros.evaluation.recognition.dataset import DatasetError, images_of
from tetra_vpr_ros.evaluation.recognition.ground_truth import read_truth
from tetra_vpr_ros.evaluation.recognition.matching import (
    fit_match_model, LabelledPlaces, pictures_of_nothing, typical_of_nothing)
from tetra_vpr_ros.evaluation.recognition.recall import encode_files
from tetra_vpr_ros.vision import ModelError, ModelInfo, PlaceEncoder
from tetra_vpr_ros.vision.match_model import MatchModel
from tetra_vpr_ros.vision.model_file import find_model

_NOTHING = 30  # pictures of each kind that show no place


def calibrate_model(model: Path, places: Sequence[tuple[Path, str]], foreign: Sequence[Path],
                    output: Path, every: int = 1) -> MatchModel:
    """
    Fit the match model of an encoder and write the file with it.

    :param model: with patch tokens.
    :param places: folders and their ground truths, see `read_truth`; every second picture is
        a place of the map, the others are queries.
    :param foreign: folders of pictures of other places; pictures that show nothing are added.
    :param output: of the new file; it may be the same.
    :param every: take every n-th picture of the foreign folders.
    :raises DatasetError: a folder or ground truth cannot be used, or holds too little.
    :raises ModelError: the model cannot be used, or has no patch tokens.
    """
    encoder = PlaceEncoder(model, threads=0)
    if not encoder.info.token_bits:
        raise ModelError(f"{model} has no patch tokens: fit them with 'train tokens' and export "
                         'it again')
    # All folders before the first is encoded: that takes minutes.
    elsewhere = [images_of(folder)[::every] for folder in foreign]
    labelled = []
    for folder, spec in places:
        files = images_of(folder)
        found, asked = files[::2], files[1::2]
        # What numbers the pictures, or has a line for each, means all of them.
        truth = (read_truth(spec, found, asked) if spec.startswith('frames')
                 else read_truth(spec, files, files)[1::2, ::2])
        labelled.append((folder.name, found, asked, truth))
    sets = [LabelledPlaces(name, encode_files(encoder, found, progress=True),
                           encode_files(encoder, asked, progress=True), truth)
            for name, found, asked, truth in labelled]
    strange = [encode_files(encoder, files, progress=True) for files in elsewhere]
    nothing = encoder.encode_with_tokens(pictures_of_nothing(_NOTHING))
    fitted = fit_match_model(sets, [*strange, nothing], encoder.info.token_grid).with_nothing(
        typical_of_nothing(nothing))
    _write(encoder.info, fitted, output)
    return fitted


def _write(model: ModelInfo, fitted: MatchModel, output: Path) -> None:
    try:
        import onnx
    except ImportError as error:
        raise ModelError("writing a model needs onnx: pip install 'tetra_vpr_ros[training]'"
                         ) from error
    file = onnx.load(str(model.path))
    stored = {entry.key: entry.value for entry in file.metadata_props}
    onnx.helper.set_model_props(file, {
        **stored, 'match_model': fitted.to_json(),
        # Maps of the file as it was are maps of this one.
        'former': json.dumps([*model.former, model.fingerprint])})
    output = output.resolve()  # the file that a link leads to
    temporary = output.with_name(output.name + '.tmp')
    try:
        onnx.save(file, str(temporary))
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def _folder_and_truth(text: str) -> tuple[Path, str]:
    folder, separator, spec = text.partition('=')
    if not separator:
        raise argparse.ArgumentTypeError(f'{text!r} is not FOLDER=GROUND_TRUTH')
    return Path(folder), spec


def main(args: Sequence[str] | None = None) -> int:
    """
    Run from the command line.

    :returns: 0, or 1 on an error.
    """
    parser = argparse.ArgumentParser(prog='calibrate_model', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', type=Path, required=True, metavar='FILE.onnx')
    parser.add_argument('--places', type=_folder_and_truth, action='append', required=True,
                        metavar='FOLDER=GROUND_TRUTH',
                        help='pictures and how their places are told (as in evaluate), repeatable')
    parser.add_argument('--foreign', type=Path, action='append', default=[], metavar='FOLDER',
                        help='pictures of other places, repeatable')
    parser.add_argument('--every', type=whole(1), default=1, metavar='N',
                        help='take every N-th of the foreign pictures')
    parser.add_argument('--out', type=Path, metavar='FILE.onnx', help='instead of the same file')
    options = parser.parse_args(None if args is None else list(args))
    if options.out is None and not options.model.is_file():
        parser.error(f'{options.model} is no file that could be written: name one with --out')

    def work() -> int:
        output = options.out or options.model
        make_folders(output)
        fitted = calibrate_model(find_model(options.model), options.places, options.foreign,
                                 output, options.every)
        print(f"{output}: {replace(fitted, nothing='').to_json()}")
        return 0

    return run_command(work, (DatasetError, ModelError), 'calibrate_model',
                       'calibrate_model: interrupted, the file is as it was')


if __name__ == '__main__':
    raise SystemExit(main())
