# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How to look at the demo in a browser, while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
import shlex
import sys

_KEPT = ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_DOMAIN_ID', 'FASTDDS_DEFAULT_PROFILES_FILE')


def live_view(map_file: Path, environment: Mapping[str, str]) -> str:
    """
    Return the command line that watches the localizer.

    :param map_file: of the demo.
    :param environment: in which its processes talk to each other.
    """
    kept = [f'{name}={shlex.quote(environment[name])}' for name in _KEPT]
    return ' '.join([*kept, *_watch('--map', str(map_file))])


def replay(bag: Path, map_file: Path) -> str:
    """Return the command line that localizes a bag again, without ROS."""
    return ' '.join(_watch('--bag', str(bag), '--map', str(map_file)))


def _watch(*arguments: str) -> list[str]:
    return [shlex.quote(part) for part in (
        sys.executable, '-m', 'tetra_vpr_ros.nodes.watch', *arguments)]
