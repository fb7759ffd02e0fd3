# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The walk through the house leads past files that exist."""

import re

from sample_data import ROOT

PAGE = ROOT / 'docs' / 'architecture.md'


def test_every_file_that_the_page_names_exists():
    named = re.findall(r'`([a-z_]+/[a-z_/]+\.py)`', PAGE.read_text())
    assert len(named) > 30, 'the page walks file by file'
    gone = [name for name in named if not (ROOT / 'tetra_vpr_ros' / name).is_file()]
    assert gone == []


def test_every_folder_that_the_page_names_exists():
    text = PAGE.read_text()
    rooms = re.findall(r'^\| `([a-z_]+)/`', text, re.MULTILINE)
    folders = {path.name for path in (ROOT / 'tetra_vpr_ros').iterdir()
               if (path / '__init__.py').is_file()}
    assert set(rooms) == folders


def test_no_room_or_wing_has_more_than_fourteen_files_of_its_own():
    for folder in (ROOT / 'tetra_vpr_ros').rglob('*'):
        files = [path for path in folder.glob('*.py') if path.name != '__init__.py']
        assert len(files) <= 14, f'{folder}: give it wings'
