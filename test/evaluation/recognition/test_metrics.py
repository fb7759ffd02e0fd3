# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from tetra_vpr_ros.evaluation.recognition.metrics import Answers, judge, precision_recall


def test_figures_of_known_answers():
    truth = np.eye(4, 6, dtype=bool)
    truth[3] = False  # shows no place of the database
    answers = Answers(np.array([[0, 5], [5, 1], [2, -1], [4, 5]]), np.array([4.0, 3.0, 2.0, 1.0]),
                      np.array([True, True, False, False]), np.full(4, 0.01), 8)
    result = judge('m', 'single', answers, truth, ranks=(1, 2))
    assert result.n == 3
    assert result.recall == {1: pytest.approx(2 / 3), 2: pytest.approx(1.0)}
    assert result.accepted == 0.5
    assert result.accepted_precision == 0.5
    assert result.recall_at_100_precision == pytest.approx(1 / 3)
    # Precision 1, 1/2, 2/3, 2/4 at recall 1/3, 1/3, 2/3, 2/3.
    assert result.ap == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    precision, recall = precision_recall(np.array([True, False]), np.array([1.0, 1.0]), 2)
    assert (precision.tolist(), recall.tolist()) == ([0.5], [0.5])  # one threshold takes both
