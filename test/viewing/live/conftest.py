# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What serves and draws the live view may be missing; the report's header says so."""

from importlib.util import find_spec

if not (find_spec('aiohttp') and find_spec('plotly')):
    collect_ignore_glob = ['test_server.py', 'test_live_page.py']
