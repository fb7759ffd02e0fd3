# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""What keeps a map in shape: checking, merging and pruning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tetra_vpr_ros.mapping.building.keyframes import KeyframeSelector
from tetra_vpr_ros.mapping.calibration import calibrate, load_calibration, SAME_HEADING
from tetra_vpr_ros.mapping.map.hamming_index import hamming_distances
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.place_map import PlaceMap
from tetra_vpr_ros.mapping.map.places import NewPlace, PlaceTable
from tetra_vpr_ros.mapping.motion import compose
from tetra_vpr_ros.mapping.sources.pose_track import Pose
from tetra_vpr_ros.vision.model_file import ModelInfo
from tqdm import tqdm

_BATCH = 500
Describe = Callable[[NDArray[np.int64]], NDArray[np.uint8]]


def problems(path: Path) -> list[str]:
    """
    Return what is wrong with a map file; nothing for a sound one.

    :param path: of the map.
    """
    try:
        with PlaceMap.open_file(path) as place_map:
            found = place_map.integrity()
            table = place_map.places()
            sessions = place_map.sessions()
            calibrated = load_calibration(place_map) is not None
    except MapError as error:
        return [str(error)]
    norms = np.linalg.norm(table.quaternions, axis=1)
    bad = ~(np.isfinite(table.positions).all(1) & (np.abs(norms - 1) < 1e-3))
    if bad.any():
        found.append(f'{int(bad.sum())} poses are not finite or not unit quaternions, the first '
                     f'of place {table.ids[np.argmax(bad)]}')
    together = np.stack([table.sessions, table.stamps], axis=1)
    twice = len(table) - len(np.unique(together, axis=0))
    if twice:
        found.append(f'{twice} places have the traverse and stamp of another')
    unknown = set(table.sessions.tolist()) - {s.number for s in sessions}
    if unknown:
        found.append(f'places belong to traverses that are not listed: {sorted(unknown)}')
    found += [f'traverse {s.source} is not complete: finish it with build_map --resume'
              for s in sessions if not s.complete]
    if not calibrated and len(table):
        found.append(f'not calibrated: run calibrate_map --map {path}')
    return found


@contextmanager
def rewritten(output: Path, like: PlaceMap, model: ModelInfo | None = None
              ) -> Iterator[PlaceMap]:
    """
    Write a map beside its final place and swap it in when it is whole.

    :param output: of the new map; an existing file is replaced at the end.
    :param like: a map with the frame of the new one.
    :param model: of the new map; None for that of the other.
    """
    temporary = output.with_name(output.name + '.tmp')
    for suffix in ('', '-wal', '-shm'):
        Path(f'{temporary}{suffix}').unlink(missing_ok=True)
    meta = like.meta()
    if model is None:
        model = ModelInfo(Path(meta['model_name']), meta['model_fingerprint'],
                          meta['model_name'], '', like.bits, 0, 0, '')
    try:
        with PlaceMap.create(temporary, model, like.frame_id) as new:
            kept = {key: meta[key] for key in ('build', 'geodetic_origin') if key in meta}
            new.set_meta(**kept)
            yield new
            found = calibrate(new.places())
            new.set_meta(calibration=found.to_meta() if found else None)
        os.replace(temporary, output)
    finally:
        temporary.unlink(missing_ok=True)


def copy_places(source: PlaceMap, table: PlaceTable, into: PlaceMap, keep: NDArray[np.bool_],
                transform: Pose | None = None, progress: bool = True,
                describe: Describe | None = None) -> int:
    """
    Copy places with their pictures and features.

    :param source: map.
    :param table: its places.
    :param into: map of the same model.
    :param keep: which places, bool ``[n]``.
    :param transform: pose of the source's frame in the other's; None for the same frame.
    :param progress: show a bar.
    :param describe: returns the descriptors of the places in some rows of the table; None
        copies those that are there.
    :returns: how many were copied.
    """
    taken = {s.source for s in into.sessions()}
    bar = tqdm(total=int(keep.sum()), desc=f'copying {source.path.name}', unit='place',
               disable=not progress)
    with bar:
        for session in source.sessions():
            rows = np.flatnonzero(keep & (table.sessions == session.number))
            name = session.source
            while name in taken:
                name += ' (again)'
            taken.add(name)
            number = into.begin_session(name)
            for first in range(0, len(rows), _BATCH):
                batch = rows[first:first + _BATCH]
                descriptors = describe(batch) if describe else table.descriptors[batch]
                into.add_places(number, [
                    _copied(source, table, row, transform, descriptor)
                    for row, descriptor in zip(batch, descriptors)])
                bar.update(len(batch))
            into.finish_session(number)
    return int(keep.sum())


def _copied(source: PlaceMap, table: PlaceTable, row: int, transform: Pose | None,
            descriptor: NDArray[np.uint8]) -> NewPlace:
    pose = table.pose(row)
    if transform is not None:
        pose = replace(compose(transform, pose), geodetic=pose.geodetic)
    place = int(table.ids[row])
    return NewPlace(int(table.stamps[row]), pose, descriptor,
                    source.thumbnail(place), source.features(place))


def merge(first: Path, second: Path, output: Path, transform: Pose | None = None,
          progress: bool = True) -> int:
    """
    Join two maps of one model.

    :param first: map whose frame is kept.
    :param second: map that is added.
    :param output: of the new map; must not be one of the two.
    :param transform: pose of the second map's frame in the first's.
    :param progress: show bars.
    :returns: places of the new map.
    :raises MapError: the maps do not fit each other, or cannot be read or written.
    """
    if output.resolve() in (first.resolve(), second.resolve()):
        raise MapError(f'{output} is one of the maps to be merged: name another file')
    with PlaceMap.open_file(first) as one, PlaceMap.open_file(second) as two:
        if one.meta()['model_fingerprint'] != two.meta()['model_fingerprint']:
            raise MapError(f'{first} was built with model {one.meta()["model_name"]}, {second} '
                           f'with {two.meta()["model_name"]}: build one of them again')
        if transform is None and one.frame_id != two.frame_id:
            raise MapError(f'{first} is in frame {one.frame_id!r}, {second} in '
                           f'{two.frame_id!r}: say with --transform how they lie')
        with rewritten(output, one) as new:
            count = 0
            for place_map, moved in ((one, None), (two, transform)):
                table = place_map.places()
                count += copy_places(place_map, table, new, np.ones(len(table), bool), moved,
                                     progress)
            return count


def prune(path: Path, output: Path, spacing: float = 0.0, angle: float = 15.0,
          redundant: tuple[float, int] | None = None, progress: bool = True) -> tuple[int, int]:
    """
    Leave out places.

    :param path: of the map; it may be the output, too.
    :param output: of the new map.
    :param spacing: metres between the places of a traverse that are kept; 0 keeps all.
    :param angle: degrees between them.
    :param redundant: metres and bits: a place that near to an earlier one, looking the
        same way, is left out.
    :param progress: show a bar.
    :returns: places kept and places before.
    :raises MapError: the map cannot be read or written.
    """
    with PlaceMap.open_file(path) as place_map:
        table = place_map.places()
        keep = _spaced(table, spacing, angle) if spacing else np.ones(len(table), bool)
        if redundant is not None:
            keep &= _needed(table, keep, *redundant)
        with rewritten(output, place_map) as new:
            return copy_places(place_map, table, new, keep, None, progress), len(table)


def _spaced(table: PlaceTable, spacing: float, angle: float) -> NDArray[np.bool_]:
    keep = np.zeros(len(table), bool)
    for session in np.unique(table.sessions):
        selector = KeyframeSelector(spacing, angle)
        for row in np.flatnonzero(table.sessions == session):
            pose = table.pose(int(row))
            if selector.wants(pose):
                selector.accept(pose)
                keep[row] = True
    return keep


def _needed(table: PlaceTable, keep: NDArray[np.bool_], metres: float, bits: int
            ) -> NDArray[np.bool_]:
    kept = keep.copy()
    tree = cKDTree(table.positions)
    for row in np.flatnonzero(keep):
        near = np.array([i for i in tree.query_ball_point(table.positions[row], metres)
                         if i < row and kept[i]], int)
        near = near[np.abs(table.quaternions[near] @ table.quaternions[row]) >= SAME_HEADING]
        if len(near) and hamming_distances(table.descriptors[row:row + 1],
                                           table.descriptors[near]).min() <= bits:
            kept[row] = False
    return kept
