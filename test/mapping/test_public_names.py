# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The names of ``tetra_vpr_ros.mapping`` are imported when they are asked for."""

import subprocess
import sys

import pytest
from tetra_vpr_ros import mapping


def test_every_public_name_has_a_home():
    homes = [name for names in mapping._HOMES.values() for name in names]
    assert sorted(homes) == sorted(mapping.__all__)
    for name in mapping.__all__:
        assert getattr(mapping, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        mapping.no_such_name  # noqa: B018


@pytest.mark.processes
def test_a_robot_that_localises_does_not_import_what_builds_maps():
    code = ('import sys, tetra_vpr_ros.localization; '
            "print([name for name in ('rosbags', 'pyproj', 'scipy.optimize', 'PIL') "
            'if name in sys.modules])')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                          check=True)
    assert done.stdout.strip() == '[]'
