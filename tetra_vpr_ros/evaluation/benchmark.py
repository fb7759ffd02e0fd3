# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a place costs: the file, the memory and the milliseconds of encoder and search.

All networks are timed in one run, in turns, so that a busy machine slows all of
them alike: compare ratios, not milliseconds of different runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
import json
import os
from pathlib import Path
import platform
import subprocess
import sys
import tempfile
import time

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray
import onnxruntime
from tetra_vpr_ros.evaluation.baselines import (
    AUTHORS_SIZE, BASELINES, quantize_baseline, write_baseline)
from tetra_vpr_ros.evaluation.roofline import operations, product_gops, ternary_products
from tetra_vpr_ros.localization import FILTERS, SingleFrameLocalizer
from tetra_vpr_ros.mapping import calibrate, HammingIndex, NewPlace, PlaceMap, Pose
from tetra_vpr_ros.vision import decode_compressed, default_model_path, PlaceEncoder
from tqdm import tqdm

Seconds = NDArray[np.float64]
FORMATS = ('packed-uint8', 'int2', 'matmulnbits', 'float32')


@dataclass(frozen=True)
class Candidate:
    """A model file to be measured."""

    name: str
    weights: str
    path: Path


@dataclass
class Row:
    """What was measured of one model."""

    name: str
    weights: str
    size: str
    file_mb: float
    added_rss_mb: float = 0.0
    cold_start_ms: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    p5_ms: float = 0.0
    images_per_s: float = 0.0


@dataclass
class Report:
    """Everything that one run measured; its JSON is what scripts read."""

    hardware: dict[str, object]
    default_format: str
    rows: list[Row] = field(default_factory=list)
    search: list[dict[str, object]] = field(default_factory=list)
    preprocessing: dict[str, float] = field(default_factory=dict)
    frame: dict[str, float] = field(default_factory=dict)
    roofline: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def hardware(threads: int) -> dict[str, object]:
    """Describe the machine: what the numbers depend on."""
    flags: set[str] = set()
    model = platform.processor() or platform.machine()
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(':')
            if key.strip() == 'model name':
                model = value.strip()
            elif key.strip() in ('flags', 'Features'):
                flags.update(value.split())
    wanted = ('avx2', 'avx512f', 'avx_vnni', 'avx512_vnni', 'amx_int8', 'avx512_vpopcntdq',
              'asimddp', 'i8mm', 'sve')
    return {'cpu': model, 'cores': len(os.sched_getaffinity(0)), 'threads': threads,
            'flags': ' '.join(flag for flag in wanted if flag in flags) or 'none of interest',
            'onnxruntime': onnxruntime.__version__, 'faiss': faiss.__version__,
            'python': platform.python_version()}


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open a model as the node does, on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads of the other sessions would take the processor from the one that is timed.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def random_input(session: onnxruntime.InferenceSession, batch: int
                 ) -> dict[str, NDArray[np.generic]]:
    """Return a batch of noise in the shape and type that a model takes."""
    entry = session.get_inputs()[0]
    rng = np.random.default_rng(0)
    shape = (batch, *entry.shape[1:])
    if entry.type == 'tensor(uint8)':
        return {entry.name: rng.integers(0, 256, shape, dtype=np.uint8)}
    return {entry.name: rng.standard_normal(shape, np.float32)}


def in_turns(tasks: Sequence[Callable[[], object]], iterations: int, what: str) -> list[Seconds]:
    """Time tasks in turns, after one unmeasured turn; seconds ``[iterations]`` of each."""
    for task in tasks:
        task()
    times = np.empty((len(tasks), iterations))
    for i in tqdm(range(iterations), desc=what, leave=False):
        for row, task in enumerate(tasks):
            began = time.perf_counter()
            task()
            times[row, i] = time.perf_counter() - began
    return list(times)


def probe(threads: int, *model: Path) -> dict[str, float]:
    """Ask a fresh process for its peak memory and cold start; see `memory_probe`."""
    done = subprocess.run(
        [sys.executable, '-m', 'tetra_vpr_ros.evaluation.memory_probe', str(threads),
         *(str(path) for path in model)], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    return {key: float(value) for key, value in answer.items()}


def measure_models(candidates: Sequence[Candidate], threads: int, iterations: int) -> list[Row]:
    """Measure file, memory, cold start, latency and throughput of models, in turns."""
    sessions = [open_session(candidate.path, threads) for candidate in candidates]
    singles = [random_input(session, 1) for session in sessions]
    times = in_turns([partial(session.run, None, x) for session, x in zip(sessions, singles)],
                     iterations, 'latency')
    batches = [random_input(session, 8) for session in sessions]
    rates = in_turns([partial(session.run, None, x) for session, x in zip(sessions, batches)],
                     max(3, iterations // 10), 'batches of 8')
    base = min(probe(threads)['peak_rss'] for _ in range(3))
    rows = []
    for candidate, session, seconds, rate in zip(candidates, sessions, times, rates):
        probes = [probe(threads, candidate.path) for _ in range(3)]
        shape = session.get_inputs()[0].shape
        height, width = shape[1:3] if shape[-1] == 3 else shape[2:]
        p5, p50, p95, p99 = (1e3 * np.percentile(seconds, q) for q in (5, 50, 95, 99))
        rows.append(Row(
            f'{candidate.name}/{candidate.weights}@{height}x{width}', candidate.weights,
            f'{height}x{width}', candidate.path.stat().st_size / 1e6,
            (min(p['peak_rss'] for p in probes) - base) / 1e6,
            1e3 * float(np.median([p['seconds'] for p in probes])),
            p50, p95, p99, p5, 8 / float(np.median(rate))))
    return rows


def measure_search(bits: int, iterations: int, sizes: Sequence[int]) -> list[dict[str, object]]:
    """Time the nearest ten places on one thread; the places are random descriptors."""
    rng = np.random.default_rng(0)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    rows: list[dict[str, object]] = []
    try:
        for places in sizes:
            descriptors = rng.integers(0, 256, (places, bits // 8), dtype=np.uint8)
            index = HammingIndex.build(np.arange(places), descriptors)
            noise = (rng.random((bits,)) < 0.2).astype(np.uint8)
            query = descriptors[:1] ^ np.packbits(noise, bitorder='little')
            seconds, = in_turns([partial(index.search, query, 10)],
                                max(5, min(iterations, 2_000_000 // places)), f'{places} places')
            rows.append({'index': 'flat', 'places': places, 'bits': bits,
                         'p50_ms': 1e3 * float(np.median(seconds)),
                         'p95_ms': 1e3 * float(np.percentile(seconds, 95))})
    finally:
        faiss.omp_set_num_threads(before)
    return rows


def measure_frame(model: Path, threads: int, iterations: int, places: int = 10_000
                  ) -> tuple[dict[str, float], dict[str, float]]:
    """
    Time a whole frame, from JPEG bytes to an accepted estimate, and what precedes the encoder.

    :returns: of the frame, and of decoding with resizing, each ``p50_ms`` and ``p95_ms``.
    """
    encoder = PlaceEncoder(model, threads=threads)
    rng = np.random.default_rng(0)
    # A smooth picture: noise would make the JPEG many times larger than a camera's.
    coarse = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode('.jpg', picture)[1].tobytes()
    descriptors = rng.integers(0, 256, (places, encoder.bits // 8), dtype=np.uint8)
    descriptors[0] = encoder.encode(decode_compressed(data))
    straight = np.array([0.0, 0.0, 0.0, 1.0])
    with tempfile.TemporaryDirectory() as folder, \
            PlaceMap.create(Path(folder) / 'line.vpr', encoder.info) as place_map:
        place_map.add_places(place_map.begin_session('benchmark'), [
            NewPlace(i, Pose(np.array([float(i), 0.0, 0.0]), straight, None), descriptor)
            for i, descriptor in enumerate(descriptors)])
        calibration = calibrate(place_map.places())
        place_map.set_meta(calibration=calibration.to_meta() if calibration else None)
        localizer = SingleFrameLocalizer(place_map)

    def frame() -> None:
        estimate = localizer.match(encoder.encode(decode_compressed(data)))
        if not estimate.accepted:
            raise RuntimeError(f'the frame was not accepted: {estimate.rejection}')

    def prepare() -> None:
        image = decode_compressed(data)
        cv2.resize(image, (encoder.info.width, encoder.info.height),
                   interpolation=cv2.INTER_AREA)

    def figures(seconds: Seconds) -> dict[str, float]:
        return {'p50_ms': 1e3 * float(np.median(seconds)),
                'p95_ms': 1e3 * float(np.percentile(seconds, 95))}

    whole, before = in_turns([frame, prepare], iterations, 'whole frame')
    return figures(whole), figures(before)


def other_formats(model: Path, folder: Path, left_out: list[str]) -> list[Candidate]:
    """
    Return the model in every format; the others are exported by the training extra.

    :param model: of the format ``packed-uint8``.
    :param folder: for the exported files.
    :param left_out: takes the reason where a format cannot be made or opened.
    """
    found = [Candidate('tetra', 'packed-uint8', model)]
    for name in FORMATS[1:]:
        path = folder / f'tetra_{name}.onnx'
        done = subprocess.run(
            [sys.executable, '-m', 'tetra_vpr_ros.training.train', 'export', '--checkpoint',
             str(model), '--format', name, '--out', str(path)],
            capture_output=True, text=True, check=False)
        if done.returncode:
            left_out.append(f'tetra/{name}: {(done.stderr or done.stdout).strip()[-300:]}')
            continue
        try:
            open_session(path, 1)
        except Exception as error:  # onnxruntime has no common exception class
            left_out.append(f'tetra/{name}: onnxruntime {onnxruntime.__version__} cannot open '
                            f'it: {error}')
            continue
        found.append(Candidate('tetra', name, path))
    return found


def baselines(names: Sequence[str], ours: int, folder: Path) -> list[Candidate]:
    """Write the field's networks at their authors' size and at ours, float32 and int8."""
    found = []
    for name in tqdm(names, desc='baselines', leave=False):
        for size in dict.fromkeys((AUTHORS_SIZE[name], ours)):
            path = write_baseline(name, size, folder)
            found += [Candidate(name, 'float32', path),
                      Candidate(name, 'int8', quantize_baseline(path, name, size))]
    return found


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
    products = ternary_products(model)
    encoder_seconds = report.rows[0].p50_ms / 1e3
    report.roofline = {'gemm_gops': product_gops(products, threads),
                       'encoder_gops': operations(products) / encoder_seconds}
    return report


def as_json(report: Report) -> dict[str, object]:
    """Return the report as plain values, with the names that scripts rely on."""
    plain = asdict(report)
    names = {'weights': 'format', 'size': 'input'}
    plain['rows'] = [{names.get(key, key): value for key, value in row.items()}
                     for row in plain['rows']]
    return plain


def markdown(report: Report) -> str:
    """Return the report as tables."""
    machine = report.hardware
    lines = [f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads; "
             f"onnxruntime {machine['onnxruntime']}; CPU flags {machine['flags']}", '',
             '| network/format@input | file MB | added RSS MB | cold start ms | p50 ms '
             '| p5 to p95 ms | p99 ms | images/s (8) |', '|---|---|---|---|---|---|---|---|']
    lines += [f'| {r.name} | {r.file_mb:.1f} | {r.added_rss_mb:.0f} | {r.cold_start_ms:.0f} | '
              f'**{r.p50_ms:.1f}** | {r.p5_ms:.1f} to {r.p95_ms:.1f} | {r.p99_ms:.1f} | '
              f'{r.images_per_s:.1f} |' for r in report.rows]
    lines += ['', '| search, one thread | places | bits | p50 ms | p95 ms |',
              '|---|---|---|---|---|']
    lines += [f"| {s['index']} | {s['places']} | {s['bits']} | {s['p50_ms']:.2f} | "
              f"{s['p95_ms']:.2f} |" for s in report.search]
    frame, roof = report.frame, report.roofline
    share = roof['encoder_gops'] / roof['gemm_gops']
    lines += ['', 'Whole frame (JPEG 640x480 to accepted estimate, 10 000 places): p50 '
              f"{frame['p50_ms']:.1f} ms, p95 {frame['p95_ms']:.1f} ms; of it decoding and "
              f"resizing {report.preprocessing['p50_ms']:.1f} ms.", '',
              f"int8 products alone: {roof['gemm_gops']:.0f} GOP/s; in the encoder "
              f"{roof['encoder_gops']:.0f} ({100 * share:.0f} %)."]
    lines += [f'Left out: {reason}' for reason in report.left_out]
    return '\n'.join(lines)


def scale(threads: int, iterations: int, picture: Path, numbers: Path | None) -> int:
    """Measure and draw how cost grows; return the exit status."""
    from tetra_vpr_ros.evaluation.scaling import draw_scaling, measure_scaling
    with tempfile.TemporaryDirectory() as folder:
        report = measure_scaling(Path(folder), threads, iterations)
    draw_scaling(report, picture)
    if numbers:
        numbers.write_text(json.dumps(report, indent=1))
    print(f'{picture} is drawn')
    return 0


def large_map(places: int, bits: int, numbers: Path | None) -> int:
    """Measure a map of very many places; return the exit status."""
    from tetra_vpr_ros.evaluation.large_map import measure_large_map
    with tempfile.TemporaryDirectory() as folder:
        report = measure_large_map(Path(folder), places, bits, FILTERS)
    text = json.dumps({'hardware': hardware(1), **report}, indent=1)
    if numbers:
        numbers.write_text(text)
    print(text)
    return 0


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog='benchmark', description=__doc__)
    parser.add_argument('--model', type=Path, help='instead of the shipped one')
    parser.add_argument('--threads', type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument('--iterations', type=int, default=50)
    parser.add_argument('--baselines', nargs='*', default=list(BASELINES), choices=list(BASELINES),
                        metavar='NAME', help=f"of {', '.join(BASELINES)}; none after the option")
    parser.add_argument('--places', type=int, nargs='*', default=[10_000, 100_000, 1_000_000])
    parser.add_argument('--json', type=Path, metavar='OUT')
    parser.add_argument('--markdown', type=Path, metavar='OUT', help='else printed')
    parser.add_argument('--scaling', type=Path, metavar='OUT.png',
                        help='measure instead how cost grows with tokens, bits and places, and '
                        'draw it; needs the training extra')
    parser.add_argument('--large-map', type=int, metavar='PLACES',
                        help='measure instead a map of very many places: writing, opening, '
                        'asking and memory')
    parser.add_argument('--bits', type=int, default=1024,
                        help="of the large map's descriptors (default: 1024)")
    options = parser.parse_args()
    model = options.model or default_model_path()
    try:
        if options.scaling:
            return scale(options.threads, options.iterations, options.scaling, options.json)
        if options.large_map:
            return large_map(options.large_map, options.bits, options.json)
        report = run(model, options.threads, options.iterations, options.baselines,
                     options.places)
    except (RuntimeError, ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(as_json(report), indent=1))
    if options.markdown:
        options.markdown.write_text(markdown(report) + '\n')
    else:
        print(markdown(report))
    return 0


if __name__ == '__main__':
    sys.exit(main())
