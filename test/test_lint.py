# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules that no linter knows. Linters, and who may import whom: 'make lint'."""

import ast
import subprocess

from sample_data import ROOT

PACKAGE = ROOT / 'tetra_vpr_ros'


def test_every_room_has_its_rules():
    """A new room must be written into the rules that 'make lint' enforces."""
    rules = (ROOT / '.importlinter').read_text().split()
    rooms = {path.parent.name for path in PACKAGE.glob('*/__init__.py')}
    assert len(rooms) >= 7
    for room in rooms:
        assert room in rules or f'tetra_vpr_ros.{room}' in rules, room


def test_every_source_file_has_the_licence_header():
    listed = subprocess.run(['git', 'ls-files', '*.py', 'scripts/*', 'Makefile', '.ci/run'],
                            cwd=ROOT, capture_output=True, text=True)
    files = listed.stdout.split() if listed.returncode == 0 else [
        str(p.relative_to(ROOT)) for p in PACKAGE.rglob('*.py')]
    for name in files:
        head = (ROOT / name).read_text()[:300]
        assert 'SPDX-License-Identifier: Apache-2.0' in head, name


def test_no_test_module_skips_while_it_is_imported():
    """launch_testing's plugin imports them all, and skipped the whole run: see conftest.py."""
    for path in sorted((ROOT / 'test').rglob('*.py')):
        for statement in ast.parse(path.read_text()).body:
            if isinstance(statement, (ast.Expr, ast.Assign)):
                called = ast.unparse(statement.value)
                assert 'importorskip' not in called and 'pytest.skip' not in called, (
                    path, statement.lineno)
