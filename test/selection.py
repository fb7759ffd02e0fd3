# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Marks what takes its time, so that ``make quick`` can leave it out."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDERS = {'nodes': 'processes', 'training': 'training', 'simulation': 'simulation'}
_WORLD = 'drive'  # the fixture that renders; those of bags and maps ask for it
_STARTERS = ('subprocess', 'multiprocessing')  # a test module that imports one starts processes
_SHARED = ('benchmark_encodings',)  # of all pictures of the benchmarks
_SLOW = ('simulation', 'training', 'processes', 'large', 'data')


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in its own hook
def pytest_collection_modifyitems(items):
    """Mark tests by their folder, by what their module starts, and by the rendered world."""
    here = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(here)
        folder = path.parts[0]
        if folder in _FOLDERS:
            item.add_marker(getattr(pytest.mark, _FOLDERS[folder]))
        if any(hasattr(item.module, name) for name in _STARTERS):
            item.add_marker(pytest.mark.processes)
        if _WORLD in item.fixturenames:
            item.add_marker(pytest.mark.simulation)
        # A worker keeps a file to itself, and what many files have made for them at great cost.
        shared = next((name for name in _SHARED if name in item.fixturenames), str(path))
        item.add_marker(pytest.mark.xdist_group(shared))
    # What takes its time begins first, so that no worker is left alone with it at the end.
    slow = {item.path for item in items if any(map(item.get_closest_marker, _SLOW))}
    items.sort(key=lambda item: item.path not in slow)  # stable: a file stays together
