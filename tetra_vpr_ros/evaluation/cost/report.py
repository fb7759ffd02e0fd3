# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What one run of the benchmark measured, as values and as tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from tetra_vpr_ros.evaluation.cost.models import Row


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
