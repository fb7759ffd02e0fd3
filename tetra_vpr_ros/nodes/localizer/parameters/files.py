# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which sections of parameters files hold for a node: ROS 2 passes over the others silently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
import re
from typing import Any

import yaml

_PARAMETERS = 'ros__parameters'


def unheard_files(command: Sequence[str], node: str) -> dict[str, list[str]]:
    """
    Return the parameters files that say nothing to a node, and to whom they speak instead.

    :param command: line of the process, as rcl has read it without complaint.
    :param node: full name.
    """
    found = {}
    for option, path in zip(command, command[1:]):
        if option == '--params-file':
            try:
                # Values do not matter, and launch writes tuples, whose tag safe_load refuses. The
                # base loader makes nothing but texts, lists and mappings.
                tree = yaml.load(Path(path).read_text(), Loader=yaml.BaseLoader)  # noqa: S506
            except (OSError, ValueError, yaml.YAMLError):
                continue  # rcl could read it
            names = list(_sections(tree))
            if not any(_speaks_to(name, node) for name in names):
                found[path] = names
    return found


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
