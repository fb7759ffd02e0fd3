# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What the command ``benchmark`` can be asked for, each measured and told."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import json
from pathlib import Path
import tempfile

from tetra_vpr_ros.command_line import make_folders
from tetra_vpr_ros.evaluation.cost.building import measure_building
from tetra_vpr_ros.evaluation.cost.frame import measure_frame
from tetra_vpr_ros.evaluation.cost.machine import hardware
from tetra_vpr_ros.evaluation.cost.networks.candidates import baselines, other_formats
from tetra_vpr_ros.evaluation.cost.networks.models import measure_models
from tetra_vpr_ros.evaluation.cost.networks.operators import measure_profile, profile_table
from tetra_vpr_ros.evaluation.cost.networks.roofline import (
    operations, product_gops, ternary_products)
from tetra_vpr_ros.evaluation.cost.report import as_json, markdown, Report, update_document
from tetra_vpr_ros.evaluation.cost.search import measure_search
from tetra_vpr_ros.vision import find_model, PlaceEncoder


def run(model: Path, threads: int, iterations: int, names: Sequence[str],
        sizes: Sequence[int]) -> Report:
    """
    Measure everything.

    :param model: of the format ``packed-uint8``.
    :param threads: of one inference.
    :param iterations: of each latency.
    :param names: of the baselines.
    :param sizes: of the searched maps, in places.
    """
    info = PlaceEncoder(model).info
    report = Report(hardware(threads), 'packed-uint8')
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        candidates = other_formats(model, folder, report.left_out)
        candidates += baselines(names, info.height, folder)
        report.rows = measure_models(candidates, threads, iterations)
    report.search = measure_search(info.bits, iterations, sizes)
    report.frame, report.preprocessing = measure_frame(model, threads, iterations)
    report.building = measure_building(model, threads, iterations, iterations / 2)
    report.profile = measure_profile(model, threads, iterations)
    products = ternary_products(model)
    encoder_seconds = report.rows[0].p50_ms / 1e3
    report.roofline = {'gemm_gops': product_gops(products, threads),
                       'encoder_gops': operations(products) / encoder_seconds}
    return report


def scale(threads: int, iterations: int, picture: Path, numbers: Path | None) -> int:
    """Measure and draw how cost grows; return the exit status."""
    from tetra_vpr_ros.evaluation.cost.scaling import draw_scaling, measure_scaling
    with tempfile.TemporaryDirectory() as folder:
        report = measure_scaling(Path(folder), threads, iterations)
    draw_scaling(report, picture)
    if numbers:
        numbers.write_text(json.dumps(report, indent=1))
    print(f'{picture} is drawn')
    return 0


def grow(picture: Path, bits: int, most: int, numbers: Path | None) -> int:
    """Measure and draw what a frame costs in maps of more and more places."""
    from tetra_vpr_ros.evaluation.cost.many_places.growth import (
        draw_growth, measure_growth, SIZES)
    with tempfile.TemporaryDirectory() as folder:
        report = measure_growth(Path(folder), bits, [size for size in SIZES if size <= most])
    if numbers:  # first: a picture can be drawn again
        numbers.write_text(json.dumps(report, indent=1))
    draw_growth(report, picture)
    print(f'{picture} is drawn')
    return 0


def tell(report: dict[str, object], numbers: Path | None) -> int:
    """Print what one core took, and keep it where that is wanted; return the exit status."""
    text = json.dumps({'hardware': hardware(1), **report}, indent=1)
    print(text)
    if numbers:
        numbers.write_text(text)
    return 0


def large_map(places: int, bits: int, tokens: bool, numbers: Path | None) -> int:
    """Measure a map of very many places; return the exit status."""
    from tetra_vpr_ros.evaluation.cost.many_places.large_map import (
        LOCALIZERS, measure_large_map)
    with tempfile.TemporaryDirectory() as folder:
        return tell(measure_large_map(Path(folder), places, bits, LOCALIZERS, tokens), numbers)


def cells(places: int, bits: int, numbers: Path | None) -> int:
    """Measure the search in cells; return the exit status."""
    from tetra_vpr_ros.evaluation.cost.many_places.cell_search import measure_cell_search
    with tempfile.TemporaryDirectory() as folder:
        return tell({'places': places, 'bits': bits,
                     **measure_cell_search(Path(folder), places, bits)}, numbers)


def profile(model: Path, threads: int, iterations: int) -> int:
    """Print where the encoder's time goes; return the exit status."""
    print(profile_table(measure_profile(model, threads, iterations)))
    return 0


def start_up(model: Path, numbers: Path | None) -> int:
    """Measure the time to the first match; return the exit status."""
    from tetra_vpr_ros.evaluation.cost.start_up import measure_start
    return tell(dict(measure_start(model)), numbers)


def measure(options: argparse.Namespace) -> int:
    """
    Measure what the command line asks for.

    :param options: of ``benchmark``.
    :returns: the exit status.
    """
    model = find_model(options.model)
    make_folders(options.json, options.markdown, options.update, options.scaling, options.growth)
    if options.scaling:
        return scale(options.threads, options.iterations, options.scaling, options.json)
    if options.large_map:
        return large_map(options.large_map, options.bits, options.tokens, options.json)
    if options.cells:
        return cells(options.cells, options.bits, options.json)
    if options.growth:
        return grow(options.growth, options.bits, options.most, options.json)
    if options.profile:
        return profile(model, options.threads, options.iterations)
    if options.start:
        return start_up(model, options.json)
    report = run(model, options.threads, options.iterations, options.baselines, options.places)
    if options.json:
        options.json.write_text(json.dumps(as_json(report), indent=1))
    if options.update:
        update_document(options.update, report)
    if options.markdown:
        options.markdown.write_text(markdown(report) + '\n')
    elif not options.update:
        print(markdown(report))
    return 0
