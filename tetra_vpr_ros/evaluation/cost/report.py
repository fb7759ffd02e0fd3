# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What one run of the benchmark measured, as values and as tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from tetra_vpr_ros.evaluation.cost.networks.models import Row
from tetra_vpr_ros.evaluation.cost.networks.operators import OperatorCost, profile_table


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
    building: dict[str, float] = field(default_factory=dict)
    profile: list[OperatorCost] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def as_json(report: Report) -> dict[str, object]:
    """Return the report as plain values, with the names that scripts rely on."""
    plain = asdict(report)
    names = {'weights': 'format', 'size': 'input'}
    plain['rows'] = [{names.get(key, key): value for key, value in row.items()}
                     for row in plain['rows']]
    return plain


BY_PROCESSOR = (
    '| processor | CPU flags | threads | encoder p50 ms | float32 ÷ encoder '
    '| ResNet50-2048@320 ÷ encoder | share of int8 products alone | frame p50, p95 ÷ encoder '
    '| building ÷ encoder alone |', '|---|---|---|---|---|---|---|---|---|')
"""The head of the table that collects machines; `by_processor` writes a line of it."""


def by_processor(report: Report) -> str:
    """Return one line on the machine, ratios first, that users can send in."""
    machine, encoder = report.hardware, report.rows[0].p50_ms
    by_name = {row.name.partition('@')[0]: row.p50_ms for row in report.rows[1:]}
    # The first of two sizes is its authors'.
    resnet = next((row.p50_ms for row in report.rows if row.name.startswith(
        'resnet50-2048/float32@')), None)

    def times(milliseconds: float | None) -> str:
        return '-' if milliseconds is None else f'{milliseconds / encoder:.1f}'

    roof, frame, building = report.roofline, report.frame, report.building
    return (f"| {machine['cpu']} | {machine['flags']} | {machine['threads']} | {encoder:.1f} | "
            f"{times(by_name.get('tetra/float32'))} | {times(resnet)} | "
            f"{100 * roof['encoder_gops'] / roof['gemm_gops']:.0f} % | "
            f"{times(frame['p50_ms'])}, {times(frame['p95_ms'])} | "
            f"{100 * building['images_per_s'] / building['encoder_images_per_s']:.0f} % |")


def markdown(report: Report) -> str:
    """Return the report as tables, what can be compared with other machines first."""
    machine = report.hardware
    lines = [f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads; "
             f"onnxruntime {machine['onnxruntime']}; CPU flags {machine['flags']}", '',
             *BY_PROCESSOR, by_processor(report), '',
             '| network/format@input | file MB | added RSS MB | cold start ms | p50 ms '
             '| p5 to p95 ms | p99 ms | images/s (8) |', '|---|---|---|---|---|---|---|---|']
    lines += [f'| {r.name} | {r.file_mb:.1f} | {r.added_rss_mb:.0f} | {r.cold_start_ms:.0f} | '
              f'**{r.p50_ms:.1f}** | {r.p5_ms:.1f} to {r.p95_ms:.1f} | {r.p99_ms:.1f} | '
              f'{r.images_per_s:.1f} |' for r in report.rows]
    lines += ['', '| search, one thread | places | bits | p50 ms | p95 ms |',
              '|---|---|---|---|---|']
    lines += [f"| {s['index']} | {s['places']} | {s['bits']} | {s['p50_ms']:.2f} | "
              f"{s['p95_ms']:.2f} |" for s in report.search]
    frame, roof, building = report.frame, report.roofline, report.building
    share = roof['encoder_gops'] / roof['gemm_gops']
    lines += ['', 'Whole frame (JPEG 640x480 to accepted estimate, second look included, '
              f"10 000 places): p50 {frame['p50_ms']:.1f} ms, p95 {frame['p95_ms']:.1f} ms; of it "
              f"decoding and resizing {report.preprocessing['p50_ms']:.1f} ms.", '',
              f"A map of {building['places']:.0f} JPEG files, the whole command: "
              f"{building['images_per_s']:.1f} images a second, the encoder alone "
              f"{building['encoder_images_per_s']:.1f} in batches of 8.", '',
              f"int8 products alone: {roof['gemm_gops']:.0f} GOP/s; in the encoder "
              f"{roof['encoder_gops']:.0f} ({100 * share:.0f} %).", '',
              profile_table(report.profile)]
    lines += [f'Left out: {reason}' for reason in report.left_out]
    return '\n'.join(lines)


_BEGIN, _END = '<!-- benchmark: {} -->', '<!-- end of benchmark -->'


def update_document(path: Path, report: Report) -> None:
    """
    Put the tables of this machine into a document, in the place of its older ones.

    Sections begin with ``<!-- benchmark: PROCESSOR (FLAGS) -->``; a new one comes behind the last.

    :param path: of the document, Markdown.
    :param report: of the run.
    :raises ValueError: the document holds no section yet, or one that does not end.
    """
    text = path.read_text()
    begin = _BEGIN.format(f"{report.hardware['cpu']} ({report.hardware['flags']})")
    section = f'{begin}\n\n{markdown(report)}\n\n{_END}'
    if begin in text:
        before, _, rest = text.partition(begin)
    elif _END in text:
        before, _, rest = text.rpartition(_END)
        before, rest = f'{before}{_END}\n\n', f'{_END}{rest}'
    else:
        raise ValueError(f"{path} holds no '{_END}' behind which the tables could come")
    _, found, after = rest.partition(_END)
    if not found:
        raise ValueError(f'{path}: the section {begin} has no end')
    path.write_text(before + section + after)
