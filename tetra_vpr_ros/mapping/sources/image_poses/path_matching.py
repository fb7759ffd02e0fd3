# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Which file a path in another program's list means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tetra_vpr_ros.mapping.map.map_error import MapError

_Parts = tuple[str, ...]
_Pairs = list[tuple[int, int]]


def match_paths(files: Sequence[Path], folder: Path, names: Sequence[str], where: str
                ) -> list[int | None]:
    """
    Find the name of each file by the end of its path.

    Names may be relative to the folder, to one above or below it, or absolute on another
    machine. The folder that all of them leave out must be the same: of a rig's ``cam0/`` and
    ``cam1/`` with equal file names, the one whose own name the folder bears is taken.

    :param files: below the folder.
    :param folder: of the files.
    :param names: of files, as they are listed.
    :param where: they are listed, for the error.
    :returns: index of the name of each file, or None.
    :raises MapError: two folders of names fit equally well, or one name fits two files.
    """
    listed: dict[str, list[tuple[int, _Parts]]] = defaultdict(list)
    for i, name in enumerate(names):
        parts = PurePosixPath(name.replace('\\', '/')).parts
        if parts:
            listed[parts[-1]].append((i, parts))
    above: dict[_Parts, _Pairs] = defaultdict(list)  # what names have before the file's path
    below: dict[_Parts, _Pairs] = defaultdict(list)  # what files have before the name
    for row, file in enumerate(files):
        own = file.relative_to(folder).parts
        for i, parts in listed.get(file.name, []):
            if parts[-len(own):] == own:
                above[parts[:-len(own)]].append((row, i))
            elif own[-len(parts):] == parts:
                below[own[:-len(parts)]].append((row, i))
    chosen = _chosen(above, below, folder, where)
    found: list[int | None] = [None] * len(files)
    for row, i in chosen:
        found[row] = i
    return found


def _chosen(above: dict[_Parts, _Pairs], below: dict[_Parts, _Pairs], folder: Path, where: str
            ) -> _Pairs:
    """Choose the pairs of one folder, or of several that do not contradict each other."""
    ends = (folder.absolute().parts, folder.resolve().parts)  # links have two names
    proven = [prefix for prefix in above
              if any(end[len(end) - len(prefix):] == prefix for end in ends)]
    if proven:
        return above[max(proven, key=len)]
    if len(above) > 1:
        shown = ', '.join(f"'{'/'.join(prefix)}' ({len(pairs)} images)"
                          for prefix, pairs in list(above.items())[:4])
        raise MapError(f'{where} has equal names in several folders: {shown}, and {folder} is '
                       'called like none of them: call it as there, or import the folder above')
    if above and below:
        raise MapError(f'{where} names images both inside and outside of {folder}: import the '
                       'folder that all names are relative to')
    if above:
        return next(iter(above.values()))
    pairs = [found for prefix in below for found in below[prefix]]
    taken: dict[int, int] = {}
    files: set[int] = set()
    for row, i in pairs:
        if i in taken or row in files:
            raise MapError(f'{where}: one name there fits two images of {folder}, in '
                           f"{' and '.join(repr('/'.join(p)) for p in list(below)[:2])}: import "
                           'the one folder that was used')
        taken[i] = row
        files.add(row)
    return pairs
