# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What must hold of a map that was built from damaged input."""

from __future__ import annotations

from pathlib import Path

from tetra_vpr_ros.mapping import PlaceMap
from tetra_vpr_ros.mapping.tools.verify import problems


def check_built(path: Path) -> str:
    """Read all of a map and look for problems; the outcome is ``fine``."""
    with PlaceMap.open_file(path) as opened:
        opened.require_sound()
    left = [problem for problem in problems(path) if 'not calibrated' not in problem
            and 'stamp of another' not in problem]
    assert not left, left
    return 'fine'
