# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""ROS traffic of the tests stays on this machine, in a domain of its own."""

import os
import random

from sample_data import ROOT


def keep_here():
    """Set the environment of this process and of those that it starts."""
    os.environ.update({
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_DOMAIN_ID': str(random.randint(1, 100)),
        'FASTDDS_DEFAULT_PROFILES_FILE': str(ROOT / 'config' / 'fastdds_localhost.xml')})
