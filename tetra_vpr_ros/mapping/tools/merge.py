# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Two maps joined to one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tetra_vpr_ros.mapping.building.copying import copy_places
from tetra_vpr_ros.mapping.camera import seen_otherwise
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.metadata import finest
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import PlaceTable
from tetra_vpr_ros.mapping.pose import Pose
from tetra_vpr_ros.mapping.sources.gps import pose_of_frame
from tetra_vpr_ros.mapping.tools.rewriting import is_one_of, place_for, rewritten
from tetra_vpr_ros.vision.model_file import shipped_model_with


def merge(first: Path, second: Path, output: Path, transform: Pose | None = None,
          progress: bool = True, notes: list[str] | None = None) -> int:
    """
    Join two maps of one model.

    :param first: map whose frame is kept.
    :param second: map that is added.
    :param output: of the new map, where nothing is yet.
    :param transform: pose of the second map's frame in the first's. None takes what the origins
        of two frames of GPS tell, else that both frames are the same.
    :param progress: show bars.
    :param notes: is told what a person should know.
    :returns: places of the new map.
    :raises MapError: the maps do not fit each other, or cannot be read or written.
    """
    if is_one_of(output, first, second):
        raise MapError(f'{output} is one of the maps to be merged: name another file')
    with place_for(output, first, second) as output, PlaceMap.open_file(first) as one, \
            PlaceMap.open_file(second) as two:
        for place_map in (one, two):
            place_map.require_sound()
            unfinished = place_map.unfinished()
            if unfinished:
                raise MapError(f'{place_map.path} has an unfinished traverse {unfinished[0]}: '
                               'finish it with build_map --resume first')
        made_with = [(str(made['model_name']), str(made['model_fingerprint']))
                     for made in (one.meta(), two.meta())]
        if not _encode_alike(*made_with):
            (name, mark), (other, other_mark) = made_with
            raise MapError(f'{first} was built with model {name} ({mark[:12]}), {second} with '
                           f'{other} ({other_mark[:12]}): build one of them again')
        if transform is None and one.frame_id != two.frame_id:
            raise MapError(f'{first} is in frame {one.frame_id!r}, {second} in '
                           f'{two.frame_id!r}: say with --transform how they lie')
        if transform is None:
            transform = _by_gps(one, two)
        with rewritten(output, one, notes=notes) as new:
            _keep_camera(new, two, notes)
            new.set_meta(keyframes=finest(one.keyframes, two.keyframes))
            count = 0
            for place_map, moved in ((one, None), (two, transform)):
                table = place_map.places()
                count += _copy(place_map, table, new, moved, progress)
            _tell_twice(new, second, notes)
            return count


def _encode_alike(one: tuple[str, str], two: tuple[str, str]) -> bool:
    """Tell whether two model files, by name and fingerprint, are one or a shipped one's former."""
    if one[1] == two[1]:
        return True
    shipped = {shipped_model_with(*one), shipped_model_with(*two)}
    return len(shipped) == 1 and None not in shipped


def _keep_camera(new: PlaceMap, two: PlaceMap, notes: list[str] | None) -> None:
    """Take the second map's camera where the first has none, and tell where they differ."""
    kept, camera = new.camera, two.camera
    if camera is None:
        return
    if kept is None:
        new.set_meta(camera=camera.to_meta())
    elif notes is not None and (otherwise := seen_otherwise(camera, kept)):
        notes.append(f'{two.path}: {otherwise}')


def _by_gps(one: PlaceMap, two: PlaceMap) -> Pose | None:
    """Return how the second map's frame lies in the first's; None where they are the same."""
    origins = one.geodetic_origin, two.geodetic_origin
    if origins[0] == origins[1]:
        return None
    if origins[0] is None or origins[1] is None:
        gps, other = (one, two) if origins[1] is None else (two, one)
        raise MapError(f'{gps.path} is in a frame of GPS, {other.path} is not: say with '
                       '--transform how they lie')
    return pose_of_frame(origins[1], origins[0])


def _copy(place_map: PlaceMap, table: PlaceTable, new: PlaceMap, moved: Pose | None,
          progress: bool) -> int:
    try:
        return copy_places(place_map, table, new, np.ones(len(table), bool), moved, progress)
    except ValueError as error:
        raise MapError(f'{place_map.path} cannot be moved by the transform: {error}') from error


def _tell_twice(new: PlaceMap, second: Path, notes: list[str] | None) -> None:
    """Tell where both maps held the same traverse: its copies would vouch for each other."""
    table = new.places()
    twice = len(table) - len({*zip(table.stamps.tolist(), map(bytes, table.descriptors))})
    if twice and notes is not None:
        notes.append(f'{second}: {twice} of its places are pictures of the first map, too, and '
                     'are in the new one twice; vpr_map prune --redundant leaves them out')
