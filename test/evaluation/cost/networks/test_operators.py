# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import pytest
from tetra_vpr_ros.evaluation.cost.networks.operators import (
    measure_profile, operator_costs, OperatorCost, profile_table)
from tiny_model import tiny_model


def event(node, operator, microseconds):
    return {'cat': 'Node', 'name': f'{node}_kernel_time', 'dur': microseconds,
            'args': {'op_name': operator}}


def test_nodes_of_an_operator_are_summed_in_each_run_and_the_median_counts():
    events = [{'cat': 'Session', 'name': 'model_loading', 'dur': 10**6}]
    for first, second in ((9e6, 9e6), (1000, 2000), (1000, 4000), (2000, 2000)):  # one warms up
        events += [event('a', 'MatMul', first), event('b', 'MatMul', second),
                   event('c', 'Add', 500)]
    costs = operator_costs(events, 3)
    assert costs == [OperatorCost('MatMul', 2, 4.0), OperatorCost('Add', 1, 0.5)]
    assert profile_table(costs).splitlines()[2:] == [
        '| MatMul | 2 | 4.00 | 88.9 % |', '| Add | 1 | 0.50 | 11.1 % |',
        '| together | 3 | 4.50 | |']


def test_a_model_is_profiled(tmp_path):
    path = tiny_model(tmp_path / 'tiny.onnx')
    costs = measure_profile(path, 1, 3)
    assert costs[0].ms == max(cost.ms for cost in costs) > 0
    assert all(cost.nodes > 0 for cost in costs)
    with pytest.raises(Exception, match='none.onnx'):
        measure_profile(path.with_name('none.onnx'), 1, 1)
