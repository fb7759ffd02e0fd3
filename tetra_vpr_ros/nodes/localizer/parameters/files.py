# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which parameters of a command line hold for a node: ROS 2 passes over the others silently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
import re
from typing import Any

import yaml

_PARAMETERS = 'ros__parameters'
_RESEMBLES = 0.75  # 'localize' and 'vpr_localize' do (0.8), 'amcl' does not


def unheard(command: Sequence[str], node: str) -> list[str]:
    """
    Return what a command line says to other nodes, as far as this one may be meant.

    Files may be for a whole robot. Told is of those that say nothing to this node, and of sections
    whose names resemble its.

    :param command: line of a process of one node, as rcl has read it without complaint.
    :param node: full name.
    :returns: texts for the user.
    """
    found = []
    for option, value in zip(command, command[1:]):
        if option == '--params-file':
            found += _unheard_of_file(value, node)
        elif option in ('-p', '--param'):
            addressed = value.partition(':=')[0].rpartition(':')[0]
            if addressed and '*' not in addressed and _last(addressed) != _last(node):
                found.append(f'{option} {value} says nothing to this node, {node}')
    return found


def _unheard_of_file(path: str, node: str) -> list[str]:
    try:
        # Values do not matter, and launch writes tuples, whose tag safe_load refuses. The
        # base loader makes nothing but texts, lists and mappings.
        tree = yaml.load(Path(path).read_text(), Loader=yaml.BaseLoader)  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError):
        return []  # rcl could read it
    names = list(_sections(tree))
    if not any(_speaks_to(name, node) for name in names):
        return [f'{path} says nothing to this node, {node}: it speaks to '
                f"{', '.join(names) or 'nobody'}"]
    return [f'{path}: what it says to {name} is not for this node, {node}: is it misspelt?'
            for name in names if not _speaks_to(name, node) and _last(name) != _last(node)
            and SequenceMatcher(None, _last(name), _last(node)).ratio() >= _RESEMBLES]


def _last(name: str) -> str:
    return name.rpartition('/')[2]


def _sections(tree: Any, name: str = '') -> Iterator[str]:
    """Yield the names of nodes, which may be nested in namespaces."""
    if isinstance(tree, dict):
        if _PARAMETERS in tree:
            yield name
        for key, value in tree.items():
            if key != _PARAMETERS:
                yield from _sections(value, f"{name}/{str(key).strip('/')}")


def _speaks_to(name: str, node: str) -> bool:
    """Tell whether a name means a node; ``*`` stands for one part, ``**`` for any number."""
    parts = {'*': '/[^/]+', '**': '(/[^/]+)*'}
    pattern = ''.join(parts.get(part, f'/{re.escape(part)}') for part in name.split('/') if part)
    return re.fullmatch(pattern, node) is not None
