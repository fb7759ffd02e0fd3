# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds these pages: 'make docs'."""

from pathlib import Path
import sys

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))

project = 'tetra_vpr_ros'
author = 'tetra_vpr_ros contributors'
copyright = '2026, tetra_vpr_ros contributors'  # noqa: A001 - Sphinx calls it that
extensions = ['myst_parser', 'sphinx.ext.autodoc']
exclude_patterns = ['_generated', '_build']
html_theme = 'alabaster'
html_theme_options = {'description': 'Global visual localization on a plain CPU',
                      'page_width': '1100px', 'sidebar_width': '240px'}
myst_heading_anchors = 3
autodoc_typehints = 'description'
autodoc_member_order = 'bysource'
# README and the model card lie outside of this folder.
suppress_warnings = ['myst.xref_missing']


def setup(app):
    """Draw the rooms before the pages are read."""
    from draw_rooms import draw_house
    app.connect('builder-inited', lambda _: draw_house(HERE / '_generated'))
