# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
from importlib.util import find_spec

if find_spec('vizdoom') is None:  # the reason is in the report's header
    collect_ignore_glob = ['test_*.py']
