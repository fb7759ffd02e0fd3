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
    BagError, build_map, BuildOptions, MapError, PlaceMap)
from tetra_vpr_ros.mapping.building.build import no_gps_frame
from tetra_vpr_ros.mapping.calibration import MapCalibration, measure_map, store_calibration
from tetra_vpr_ros.mapping.map.place_map import model_of_map
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.mapping.sources.bag_arguments import add_bag_arguments, bag_options
from tetra_vpr_ros.vision import ModelError, PlaceEncoder

_FEWEST = 20  # queries on the map, below which nothing is learned from them


def calibrate_file(path: Path, queries: PlaceTable | None) -> MapCalibration:
    """
    Calibrate a map file.

    :param path: of the map.
    :param queries: see `calibrate`.
    :returns: what was stored.
    :raises MapError: the map cannot be written or calibrated.
    """
    with PlaceMap.open_file(path, writable=True) as place_map:
        found = measure_map(place_map, queries)
        if not found.judges:
            raise MapError(f'{path} cannot be calibrated: {found.summary()}')
        beside = found.descriptors.positives if found.descriptors else 0
        if queries is not None and beside < _FEWEST:
            raise MapError(
                f'only {beside} of {len(queries)} frames of the drive lie beside a place '
                f'of {path}: are its poses in the frame of the map, {place_map.frame_id!r}?')
        store_calibration(place_map, found)
    return found


def read_drive(options: BuildOptions) -> PlaceTable:
    """
    Return the keyframes of bags as a table.

    What of them is left out is told.

    :param options: what to read; its output is the map, in whose frame GPS fixes are.
    :raises BagError: a bag or topic cannot be used, or has GPS poses where the map has none.
    :raises KeyboardInterrupt: while the bags were read.
    :raises MapError: the map cannot be read or was made with another model, or the bags hold no
        frame with a pose.
    """
    model = model_of_map(options.output, options.model)
    with PlaceMap.open_file(options.output) as place_map:
        place_map.require_model(PlaceEncoder(model).info)
        origin = place_map.geodetic_origin
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / 'drive.vpr'
        report = build_map(replace(options, output=output, model=model, thumbnails=False,
                                   origin=origin))
        for line in report.details():
            print(line)
        if report.interrupted:  # half a drive measures nothing
            raise KeyboardInterrupt
        with PlaceMap.open_file(output) as drive:
            if drive.geodetic_origin != origin:
                raise no_gps_frame(options.bags[0], options.output)
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
    add_bag_arguments(parser)
    add('--model', type=Path, help='model of the map, where it is no shipped one')
    options = parser.parse_args(None if args is None else list(args))

    def work() -> int:
        queries = None
        if options.bag:
            queries = read_drive(BuildOptions(
                options.map, tuple(options.bag), model=options.model, **bag_options(options)))
        found = calibrate_file(options.map, queries)
        print(f'{options.map}: {found.summary()}')
        return 0

    return run_command(work, (BagError, MapError, ModelError), 'calibrate_map',
                       'calibrate_map: interrupted, the map is as it was')


if __name__ == '__main__':
    raise SystemExit(main())
