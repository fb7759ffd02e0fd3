# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Calibrate a map again, from its own places or from a drive that is not in it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
import tempfile

from tetra_vpr_ros.command_line import run_command
from tetra_vpr_ros.mapping import (
    BagError, build_map, BuildOptions, calibrate, Calibration, MapError, PlaceMap)
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.vision import ModelError

_FEWEST = 20  # queries on the map, below which nothing is learned from them


def calibrate_file(path: Path, queries: PlaceTable | None) -> Calibration:
    """
    Calibrate a map file.

    :param path: of the map.
    :param queries: see `calibrate`.
    :returns: what was stored.
    :raises MapError: the map cannot be written or calibrated.
    """
    with PlaceMap.open_file(path, writable=True) as place_map:
        found = calibrate(place_map.places(), queries)
        if found is None:
            raise MapError(f'{path} cannot be calibrated: no two places are more than 5 m apart; '
                           + ('it needs none, its matches are judged by the second look'
                              if place_map.has_second_look() else
                              f"encode it for a second look with 'vpr_map reencode {path}'"))
        if queries is not None and found.positives < _FEWEST:
            raise MapError(
                f'only {found.positives} of {len(queries)} frames of the drive lie beside a place '
                f'of {path}: are its poses in the frame of the map, {place_map.frame_id!r}?')
        place_map.set_meta(calibration=found.to_meta())
    return found


def read_drive(options: BuildOptions) -> PlaceTable:
    """
    Return the keyframes of bags as a table.

    :param options: what to read; its output is not used.
    :raises BagError: a bag or topic cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / 'drive.vpr'
        build_map(replace(options, output=output, thumbnails=False))
        with PlaceMap.open_file(output) as drive:
            return drive.places()


def main(args: Sequence[str] | None = None) -> int:
    """
    Calibrate from the command line.

    :returns: 0 when done, 1 on an error, 130 when interrupted.
    """
    parser = argparse.ArgumentParser(prog='calibrate_map', description=__doc__)
    add = parser.add_argument
    add('--map', type=Path, required=True, metavar='MAP.vpr', help='map to calibrate')
    add('--bag', type=Path, nargs='+', default=[], metavar='PATH',
        help='drives that are not in the map, with poses in its frame: best in other light')
    add('--image-topic', help='camera topic; found by type when there is just one')
    add('--pose-topic', help='pose topic; found by type when there is just one')
    add('--tf-frames', nargs=2, metavar=('PARENT', 'CHILD'), help='take the poses from /tf')
    add('--model', type=Path, help='model of the map, if not the one shipped')
    options = parser.parse_args(None if args is None else list(args))

    def work() -> int:
        queries = None
        if options.bag:
            queries = read_drive(BuildOptions(
                Path(), tuple(options.bag), options.image_topic, options.pose_topic,
                tuple(options.tf_frames) if options.tf_frames else None, options.model))
        found = calibrate_file(options.map, queries)
        print(f'{options.map}: calibrated on {found.positives} true pairs ({found.source}) and '
              f'{sum(found.pairs)} pairs of different places; errors widen the covariance by '
              f'{found.covariance_scale:.2f}')
        return 0

    return run_command(work, (BagError, MapError, ModelError), 'calibrate_map',
                       'calibrate_map: interrupted, the map is as it was')


if __name__ == '__main__':
    raise SystemExit(main())
