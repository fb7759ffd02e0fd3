# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ROS traffic of the tests stays on this machine, in a domain that no other test run has."""

import contextlib
import fcntl
import os
from pathlib import Path
import random
import socket
import tempfile

from sample_data import ROOT

_HELD = []  # a lock lasts as long as its file is open, that is, as long as this process


def _in_use(domain):
    """Tell whether a program that knows nothing of our locks takes part in a domain."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probing:
        try:
            probing.bind(('', 7400 + 250 * domain + 10))  # RTPS: of the first participant
        except OSError:
            return True
    return False


def claim_domain():
    """
    Return a ROS domain of this process's own.

    Two runs side by side, or the workers of one, never share a domain: each is locked by
    whoever uses it. Which one it is plays no part in any result.
    """
    folder = Path(tempfile.gettempdir()) / 'tetra_vpr_ros_domains'
    folder.mkdir(exist_ok=True)
    for domain in random.Random().sample(range(1, 101), 100):
        with contextlib.suppress(OSError):  # taken, or of another user
            file = (folder / str(domain)).open('w')
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _in_use(domain):
                continue
            _HELD.append(file)
            return domain
    raise RuntimeError(f'all ROS domains are taken: see {folder}')


def keep_here(domain):
    """Set the environment of this process and of those that it starts."""
    profiles = str(ROOT / 'config' / 'fastdds_localhost.xml')
    os.environ.update({
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_DOMAIN_ID': str(domain),
        'FASTDDS_DEFAULT_PROFILES_FILE': profiles,
        'FASTRTPS_DEFAULT_PROFILES_FILE': profiles})  # what Jazzy reads
