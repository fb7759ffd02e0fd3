# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules that no linter knows: who may import whom, and headers. Linters: 'make lint'."""

import ast
import subprocess

import pytest
from sample_data import ROOT

PACKAGE = ROOT / 'tetra_vpr_ros'
# From the design: what each room must not import.
FORBIDDEN = {
    'vision': {'rclpy', 'torch', 'mapping', 'localization', 'nodes', 'evaluation', 'training',
               'simulation'},
    'mapping': {'rclpy', 'torch', 'localization', 'nodes', 'evaluation', 'training',
                'simulation'},
    'localization': {'rclpy', 'torch', 'nodes', 'evaluation', 'training', 'simulation'},
    'nodes': {'torch', 'evaluation', 'training', 'simulation'},
    'evaluation': {'rclpy', 'torch', 'nodes', 'training', 'simulation'},
    'training': {'rclpy', 'nodes', 'mapping', 'localization', 'evaluation'},
    'simulation': {'rclpy', 'torch', 'nodes', 'mapping', 'localization', 'evaluation',
                   'training'},
}


def imports(path):
    """Return the names a file imports: third-party packages and our rooms."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f'{node.module}.{alias.name}' for alias in node.names)]
        for module in modules:
            parts = module.split('.')
            if parts[0] != 'tetra_vpr_ros':
                names.add(parts[0])
            elif len(parts) > 1:
                names.add(parts[1])
    return names


@pytest.mark.parametrize('room', FORBIDDEN)
def test_rooms_import_only_what_they_may(room):
    files = sorted((PACKAGE / room).rglob('*.py'))
    assert files
    for path in files:
        wrong = imports(path) & FORBIDDEN[room]
        assert not wrong, f'{path.relative_to(ROOT)} imports {wrong}'


def test_every_room_has_its_rules():
    rooms = {path.parent.name for path in PACKAGE.glob('*/__init__.py')}
    assert rooms == set(FORBIDDEN)


def test_every_source_file_has_the_licence_header():
    listed = subprocess.run(['git', 'ls-files', '*.py', 'scripts/*', 'Makefile', '.ci/run'],
                            cwd=ROOT, capture_output=True, text=True)
    files = listed.stdout.split() if listed.returncode == 0 else [
        str(p.relative_to(ROOT)) for p in PACKAGE.rglob('*.py')]
    for name in files:
        head = (ROOT / name).read_text()[:300]
        assert 'SPDX-License-Identifier: Apache-2.0' in head, name
