# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Runs in a process of its own: loads a model, encodes one image, tells what it took.

``python -m tetra_vpr_ros.evaluation.cost.networks.memory_probe THREADS [MODEL]`` prints the peak
resident memory in bytes and the seconds from the file to the first descriptor;
without a model, what the libraries alone take.
"""

from __future__ import annotations

import json
from pathlib import Path
import sys
import time

import numpy as np
import onnxruntime


def peak_rss() -> int:
    """
    Return the peak resident memory of this process in bytes.

    Not from ``getrusage``: there a child starts with its parent's peak.
    """
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024
    raise RuntimeError('/proc/self/status has no VmHWM: is this Linux?')


def main() -> None:
    """Print one line of JSON."""
    threads, *models = sys.argv[1:]
    began = time.perf_counter()
    if models:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(threads)
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            models[0], options, providers=['CPUExecutionProvider'])
        entry = session.get_inputs()[0]
        kind = np.uint8 if entry.type == 'tensor(uint8)' else np.float32
        session.run(None, {entry.name: np.zeros((1, *entry.shape[1:]), kind)})
    seconds = time.perf_counter() - began
    print(json.dumps({'peak_rss': peak_rss(), 'seconds': seconds}))


if __name__ == '__main__':
    main()
