# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""No module needs itself: who imports whom has a direction, inside the rooms, too."""

import numpy as np
import pytest
from sample_data import ROOT
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components


def circles(imports):
    """
    Return the sets of names that reach each other, sorted.

    :param imports: what each name imports.
    """
    names = sorted(imports)
    number = {name: i for i, name in enumerate(names)}
    arrows = [(number[a], number[b]) for a in names for b in imports[a]]
    rows, columns = np.array(arrows, int).reshape(-1, 2).T
    graph = csr_matrix((np.ones(len(rows)), (rows, columns)), (len(names), len(names)))
    count, of = connected_components(graph, directed=True, connection='strong')
    found = [[name for name, group in zip(names, of) if group == k] for k in range(count)]
    return sorted(group for group in found if len(group) > 1)


def test_a_circle_is_found():
    imports = {'a': {'b'}, 'b': {'c'}, 'c': {'a', 'd'}, 'd': {'e'}, 'e': set(), 'f': {'a'}}
    assert circles(imports) == [['a', 'b', 'c']]
    assert circles({'a': {'b'}, 'b': set()}) == []


def test_no_module_imports_itself_through_others(monkeypatch):
    grimp = pytest.importorskip('grimp', reason='reads who imports whom')
    monkeypatch.syspath_prepend(str(ROOT))
    graph = grimp.build_graph('tetra_vpr_ros', cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert len(imports) == len(list((ROOT / 'tetra_vpr_ros').rglob('*.py')))
    assert sum(map(len, imports.values())) > 200
    assert circles(imports) == []
