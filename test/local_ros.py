# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ROS traffic of the tests stays on this machine, in a domain that no other test run has."""

import contextlib
import fcntl
import os
from pathlib import Path
import random
import tempfile

from sample_data import ROOT

_HELD = []  # a lock lasts as long as its file is open, that is, as long as this process


def claim_domain():
    """
    Return a ROS domain of this process's own.

    Two runs side by side, or the workers of one, never share a domain: each is locked by
    whoever uses it. Which one it is plays no part in any result.
    """
    folder = Path(tempfile.gettempdir()) / 'tetra_vpr_ros_domains'
    folder.mkdir(mode=0o777, exist_ok=True)
    for domain in random.Random().sample(range(1, 101), 100):
        with contextlib.suppress(OSError):  # taken, or of another user
            file = (folder / str(domain)).open('w')
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _HELD.append(file)
            return domain
    raise RuntimeError(f'all ROS domains are taken: see {folder}')


def keep_here(domain):
    """Set the environment of this process and of those that it starts."""
    os.environ.update({
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_DOMAIN_ID': str(domain),
        'FASTDDS_DEFAULT_PROFILES_FILE': str(ROOT / 'config' / 'fastdds_localhost.xml')})
