# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
The parts of a map that several processes or machines build, one for each bag.

They lie in a folder beside the map until they are in it, so that an interrupted build
continues where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
import hashlib
from pathlib import Path
import shutil

import numpy as np
from tetra_vpr_ros.mapping.building.copying import copy_places
from tetra_vpr_ros.mapping.building.options import BuildOptions
from tetra_vpr_ros.mapping.building.report import BuildReport
from tetra_vpr_ros.mapping.building.writer import add_traverse, never
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.sources.bag_traverse import BagTraverse
from tetra_vpr_ros.vision.encoder import PlaceEncoder


class Parts:
    """
    The parts of a build.

    :param place_map: that they go into.
    :param options: of the build.
    """

    def __init__(self, place_map: PlaceMap, options: BuildOptions) -> None:
        """Find the folder."""
        self.folder = options.output.with_name(options.output.name + '.parts')
        self._map = place_map

    def path(self, traverse: BagTraverse) -> Path:
        """Return where the part of a traverse lies, in a folder that then exists."""
        self.folder.mkdir(exist_ok=True)
        name = hashlib.sha256(traverse.source.encode()).hexdigest()[:16]
        return self.folder / f'{name}.vpr'

    def complete(self, path: Path) -> bool:
        """Tell whether a part is there and whole."""
        if not path.exists():
            return False
        with PlaceMap.open_file(path) as part:
            return any(session.complete for session in part.sessions())

    def join(self, paths: Iterable[Path], progress: bool) -> None:
        """Copy parts into the map in their order and remove them."""
        for path in paths:
            with PlaceMap.open_file(path) as part:
                table = part.places()
                copy_places(part, table, self._map, np.ones(len(table), bool), None, progress)
            path.unlink()

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def build_part(traverse: BagTraverse, path: Path, encoder: PlaceEncoder, frame_id: str,
               options: BuildOptions, progress: bool = False, position: int | None = None,
               stopped: Callable[[], bool] = never) -> BuildReport:
    """
    Map one bag to a file of its own, or finish what an interrupted build has left of it.

    :param traverse: of the bag.
    :param path: of the part.
    :param encoder: of the map's model.
    :param frame_id: of the map.
    :param options: of the build.
    :param progress: show a bar.
    :param position: line of the bar.
    :param stopped: asked before each frame; True stops as Ctrl-C does.
    :raises MapError: the part cannot be written, or was begun with other options.
    """
    report = BuildReport()
    if path.exists():
        part = PlaceMap.open_file(path, writable=True)
    else:
        part = PlaceMap.create(path, encoder.info, frame_id)
    with part:
        begun_with = part.meta().get('build')
        if begun_with not in (None, options.recipe()) or (
                part.meta().get('poses', options.poses) != options.poses) or (
                not encoder.info.encodes_like(part.meta()['model_fingerprint'])):
            raise MapError(f'{path} was begun with another model, with other poses or with '
                           f'{begun_with}: remove {path.parent}')
        part.set_meta(build=options.recipe(), poses=options.poses)
        if any(session.complete for session in part.sessions()):
            return report
        try:
            add_traverse(part, traverse, encoder, options, report, progress, position, stopped)
        except KeyboardInterrupt:
            report.interrupted = True
    return report
