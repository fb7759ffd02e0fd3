# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The machine that figures come from."""

from __future__ import annotations

from pathlib import Path
import platform

import faiss
import onnxruntime
from tetra_vpr_ros.command_line import usable_cores


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
    return {'cpu': model, 'cores': usable_cores(), 'threads': threads,
            'flags': ' '.join(flag for flag in wanted if flag in flags) or 'none of interest',
            'onnxruntime': onnxruntime.__version__, 'faiss': faiss.__version__,
            'python': platform.python_version()}
