# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run was begun with: it goes on with that, or is another run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import json
import os
from pathlib import Path
from typing import Any

from tetra_vpr_ros.training.config_keys import ConfigError

_FREE = frozenset({'accumulate', 'cache', 'epochs', 'save_every', 'steps', 'torch_compile',
                   'validate_every', 'workers'})
"""Keys that may change on the way: they say how long and on what, not what is learned."""


def hold_to_recipe(run: Path, stage: str, recipe: Mapping[str, Any], begun: bool) -> None:
    """
    Keep what a stage is begun with, or refuse to go on with something else.

    :param run: folder, in which it is kept as ``<stage>.json``.
    :param stage: what is trained.
    :param recipe: of it, as JSON has it.
    :param begun: there are checkpoints already. Those of older versions know no recipe.
    :raises ConfigError: a key has another value than at the beginning; it is named.
    """
    file, now = run / f'{stage}.json', json.loads(json.dumps(recipe))
    if begun and file.is_file():
        try:
            before = json.loads(file.read_text())
        except ValueError as error:
            raise ConfigError(f'{file} cannot be read: {error}; remove it') from error
        for key, old, new in _changed(before, now, stage):
            raise ConfigError(f'{run} was begun with {key}: {old}, not {new}: name another run, '
                              f'or remove {file} to go on all the same')
        return
    run.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f'{file.name}.{os.getpid()}')
    temporary.write_text(json.dumps(now, indent=1))
    os.replace(temporary, file)


def _changed(before: Any, now: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield the keys whose values differ, with both."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        if before != now:
            yield key, before, now
        return
    for name in dict.fromkeys([*before, *now]):
        if name not in _FREE:
            yield from _changed(before.get(name), now.get(name), f'{key}.{name}')
