# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Times that can be compared: tasks in turns, models opened as the node opens them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
import time

import numpy as np
from numpy.typing import NDArray
import onnxruntime
from tetra_vpr_ros.vision.encoder import spin_within_a_run
from tqdm import tqdm

Seconds = NDArray[np.float64]


def open_session(path: Path, threads: int, profile: Path | None = None
                 ) -> onnxruntime.InferenceSession:
    """
    Open a model as the node does, on the CPU.

    :param path: of the model.
    :param threads: of one inference.
    :param profile: how the file begins that onnxruntime's profile is written to; None for none.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    spin_within_a_run(options, True)
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
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
