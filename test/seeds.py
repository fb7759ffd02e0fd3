# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""One seed for all that is random in the tests: fixed, told with a failure, and to be changed."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

SEED = 7


def pytest_addoption(parser):
    """Let a person run other random numbers, or those of a failure again."""
    parser.addoption('--seed', type=int, default=None,
                     help=f'of the random tests (default: {SEED}, and fixed examples)')


def pytest_configure(config):
    """Make the examples of Hypothesis the same in every run, or those of the seed."""
    if find_spec('hypothesis') is None:  # its tests are then errors of their own
        return
    from hypothesis import core, settings
    seed = config.getoption('--seed')
    settings.register_profile('fixed', derandomize=True, database=None, print_blob=True,
                              deadline=None)
    settings.register_profile('seeded', derandomize=False, database=None, print_blob=True,
                              deadline=None)
    settings.load_profile('fixed' if seed is None else 'seeded')
    if seed is not None:
        core.global_force_seed = seed


@pytest.hookimpl(hookwrapper=True)  # of pluggy before 1.2, too
def pytest_runtest_makereport(item, call):
    """Say with a failure how its random numbers come again."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and ('seed' in item.fixturenames or item.get_closest_marker('hypothesis')):
        seed = item.config.getoption('--seed')
        report.sections.append(('seed', f'--seed {SEED if seed is None else seed}' if (
            seed is not None or 'seed' in item.fixturenames) else 'fixed examples: no --seed'))


@pytest.fixture
def seed(request) -> int:
    """Return the seed of this run."""
    given = request.config.getoption('--seed')
    return SEED if given is None else given


@pytest.fixture
def rng(seed) -> np.random.Generator:
    """Return a source of randomness that is the same in every run with one seed."""
    return np.random.default_rng(seed)
