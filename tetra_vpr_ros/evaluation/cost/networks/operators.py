# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Where an encoder's time goes: onnxruntime's own profile of its optimised graph, by operator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import tempfile

import numpy as np
from tetra_vpr_ros.evaluation.cost.timing import open_session, random_input
from tqdm import tqdm

_WARM_UP = 3


@dataclass(frozen=True)
class OperatorCost:
    """
    What the nodes of one operator take of a run.

    :ivar operator: as onnxruntime names it, after its fusions.
    :ivar nodes: in the graph.
    :ivar ms: of one run, all of them together; the median over the runs.
    """

    operator: str
    nodes: int
    ms: float


def measure_profile(model: Path, threads: int, iterations: int) -> list[OperatorCost]:
    """
    Run a model under onnxruntime's profiler, one picture at a time.

    :param model: any model with one input.
    :param threads: of one inference.
    :param iterations: runs that count.
    :returns: the most expensive operator first.
    """
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(model, threads, Path(folder) / 'profile')
        picture = random_input(session, 1)
        outputs = [session.get_outputs()[0].name]
        for _ in tqdm(range(_WARM_UP + iterations), desc='profile', leave=False):
            session.run(outputs, picture)
        return operator_costs(json.loads(Path(session.end_profiling()).read_text()), iterations)


def operator_costs(events: Sequence[dict[str, object]], runs: int) -> list[OperatorCost]:
    """
    Sum onnxruntime's events by operator.

    :param events: of its profile.
    :param runs: the last so many count.
    """
    by_node: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        name, arguments = str(event['name']), event.get('args')
        if event.get('cat') == 'Node' and name.endswith('_kernel_time') \
                and isinstance(arguments, dict):
            by_node[str(arguments['op_name']), name].append(float(str(event['dur'])) / 1e3)
    milliseconds: dict[str, list[float]] = defaultdict(lambda: [0.0] * runs)
    nodes: dict[str, int] = defaultdict(int)
    for (operator, _), times in by_node.items():
        nodes[operator] += 1
        milliseconds[operator] = [a + b for a, b in zip(milliseconds[operator], times[-runs:])]
    costs = [OperatorCost(operator, nodes[operator], float(np.median(times)))
             for operator, times in milliseconds.items()]
    return sorted(costs, key=lambda cost: -cost.ms)


def profile_table(costs: Sequence[OperatorCost]) -> str:
    """Return the costs as a table in Markdown."""
    total = sum(cost.ms for cost in costs)
    lines = ['| operator | nodes | ms | share |', '|---|---|---|---|']
    lines += [f'| {cost.operator} | {cost.nodes} | {cost.ms:.2f} | {100 * cost.ms / total:.1f} % |'
              for cost in costs]
    return '\n'.join([*lines, f'| together | {sum(cost.nodes for cost in costs)} | {total:.2f} '
                      '| |'])
