# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Traverses to a map, in transactions that can be interrupted and resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from tetra_vpr_ros.command_line import usable_cores
from tetra_vpr_ros.mapping.building.mapping_camera import keep_camera
from tetra_vpr_ros.mapping.building.options import BuildOptions
from tetra_vpr_ros.mapping.building.parallel import add_with_processes
from tetra_vpr_ros.mapping.building.parts import Parts
from tetra_vpr_ros.mapping.building.ray import add_with_ray
from tetra_vpr_ros.mapping.building.report import BuildReport
from tetra_vpr_ros.mapping.building.writer import add_traverse
from tetra_vpr_ros.mapping.calibration import BY_A_DRIVE, by_a_drive, calibrate_again
from tetra_vpr_ros.mapping.map.map_error import MapError
from tetra_vpr_ros.mapping.map.map_file import check_creatable
from tetra_vpr_ros.mapping.map.metadata import finest
from tetra_vpr_ros.mapping.map.place_map import model_of_map, PlaceMap
from tetra_vpr_ros.mapping.sources.bag_reader import BagError
from tetra_vpr_ros.mapping.sources.bag_traverse import BagTraverse, read_bag
from tetra_vpr_ros.mapping.sources.image_folder import FolderTraverse, read_folder
from tetra_vpr_ros.mapping.sources.pose_track import Origin
from tetra_vpr_ros.mapping.sources.traverse import Traverse
from tetra_vpr_ros.vision.encoder import PlaceEncoder

AnyTraverse = TypeVar('AnyTraverse', bound=Traverse)


def build_map(options: BuildOptions, progress: bool = True) -> BuildReport:
    """
    Build, continue or extend a map from bags.

    Topics are resolved and poses are read of every bag before a map is begun.

    :param options: what to build.
    :param progress: show progress bars.
    :raises BagError: a bag or topic cannot be used.
    :raises MapError: the map cannot be written or continued, nothing was mapped, or Ray is not
        installed.
    :raises ModelError: the model cannot be used.
    """
    def read(place_map: PlaceMap | None) -> tuple[list[BagTraverse], Origin | None]:
        return _read_bags(options, place_map, progress)

    return _build(options, read, _add_bags, progress)


def import_folder(folder: Path, poses: str, options: BuildOptions, progress: bool = True
                  ) -> BuildReport:
    """
    Build, continue or extend a map from a folder of images.

    :param folder: of the images.
    :param poses: where their poses are, see `image_folder.read_folder`.
    :param options: how to build; bags, topics and workers do not matter. With a keyframe
        distance of 0 every image becomes a place.
    :param progress: show a progress bar.
    :raises MapError: a pose is missing, or the map cannot be written or continued.
    :raises ModelError: the model cannot be used.
    """
    def read(place_map: PlaceMap | None) -> tuple[list[FolderTraverse], Origin | None]:
        known = {s.source: s.complete for s in place_map.sessions()} if place_map else {}
        origin = _origin(place_map)
        traverse, found = read_folder(folder, poses, origin, options.max_gap)
        if found is not None and origin is None and place_map and len(place_map):
            raise no_gps_frame(folder, options.output)
        if found is None and origin is not None:
            traverse.notes.append(not_of_gps(folder, origin))
        origin = origin or found
        if not known.get(traverse.source):
            return [traverse], origin
        if not options.resume:
            raise MapError(f'{options.output} already holds {traverse.source}')
        return [], origin

    return _build(options, read, _add_folders, progress)


def _build(options: BuildOptions,
           read: Callable[[PlaceMap | None], tuple[Sequence[AnyTraverse], Origin | None]],
           add: Callable[[PlaceMap, Sequence[AnyTraverse], PlaceEncoder, BuildOptions,
                          BuildReport, bool], None], progress: bool) -> BuildReport:
    """Read the traverses, add them to the map, and calibrate it unless that was interrupted."""
    if (options.append or options.resume) and options.output.exists():
        options = replace(options, model=model_of_map(options.output, options.model))
    encoder = PlaceEncoder(options.model)
    report = BuildReport()
    with _opened(options, encoder, read) as (place_map, traverses):
        keep_camera(place_map, traverses, options.horizontal_fov, report)
        try:
            add(place_map, traverses, encoder, options, report, progress)
        except KeyboardInterrupt:
            report.interrupted = True
        if not len(place_map) and not report.interrupted:
            raise MapError('; '.join([*report.empty, *report.damaged, *report.notes])
                           or 'there is nothing to map')
        _finish(place_map, report)
    return report


@contextmanager
def _opened(options: BuildOptions, encoder: PlaceEncoder,
            read: Callable[[PlaceMap | None], tuple[Sequence[AnyTraverse], Origin | None]]
            ) -> Iterator[tuple[PlaceMap, Sequence[AnyTraverse]]]:
    """Open or create the map, but only once everything that goes into it could be read."""
    if options.append or (options.resume and options.output.exists()):
        place_map = PlaceMap.open_file(options.output, writable=True)
    else:
        check_creatable(options.output)
        place_map = None
    created = place_map is None
    try:
        if place_map is not None:
            _check_continuation(place_map, encoder, options)
        traverses, origin = read(place_map)
        if place_map is not None:
            _check_unfinished(place_map, traverses, options)
        if place_map is None:
            default_frame = options.tf_frames[0].strip('/') if options.tf_frames else 'map'
            place_map = PlaceMap.create(options.output, encoder.info,
                                        options.frame_id or default_frame)
        # Sparser places that are added leave the others as near as they are.
        before = place_map.keyframes if len(place_map) else {}
        place_map.set_meta(build=options.recipe(), poses=options.poses,
                           keyframes=finest(before, options.recipe()))
        if origin is not None:
            place_map.set_meta(geodetic_origin=origin)
        yield place_map, traverses
    except BaseException:
        if place_map is not None and created:
            _remove_if_empty(place_map)
        raise
    finally:
        if place_map is not None:
            place_map.close()


def _remove_if_empty(place_map: PlaceMap) -> None:
    """Leave nothing of a build that failed before its first place: it would be in the way."""
    with suppress(MapError):
        if not len(place_map):
            place_map.close()
            place_map.path.unlink()


def _check_continuation(place_map: PlaceMap, encoder: PlaceEncoder, options: BuildOptions
                        ) -> None:
    """Refuse to continue a map with what does not fit it."""
    place_map.require_model(encoder.info)
    recipe = options.recipe()
    stored = place_map.meta().get('build', recipe)
    if options.resume and stored != recipe:
        raise MapError(f'{options.output} was begun with {stored}, not {recipe}: '
                       'resume with the same values')
    poses = place_map.meta().get('poses', options.poses)  # older maps do not tell
    if options.resume and poses != options.poses:
        begun, asked = (source or 'the only topic' for source in (poses, options.poses))
        raise MapError(f'{options.output} was begun with poses of {begun}, not of {asked}: resume '
                       'with the same')
    if options.frame_id and options.frame_id != place_map.frame_id:
        raise MapError(f'{options.output} has poses in frame {place_map.frame_id!r}, '
                       f'not {options.frame_id!r}')
    unfinished = place_map.unfinished()
    if unfinished and not options.resume:
        raise MapError(f'{options.output} has an unfinished traverse {unfinished[0]}: '
                       'finish it with --resume before you append')


def _check_unfinished(place_map: PlaceMap, traverses: Sequence[Traverse], options: BuildOptions
                      ) -> None:
    """Refuse to resume without what was begun: from another path all of it would come twice."""
    given = {traverse.source for traverse in traverses}
    missing = [source for source in place_map.unfinished() if source not in given]
    if missing:
        raise MapError(f'{options.output} has an unfinished traverse {missing[0]}, which is not '
                       'among what was given: resume with the same paths')


def _origin(place_map: PlaceMap | None) -> Origin | None:
    return place_map.geodetic_origin if place_map else None


def _read_bags(options: BuildOptions, place_map: PlaceMap | None, progress: bool
               ) -> tuple[list[BagTraverse], Origin | None]:
    """Resolve the topics and read the poses of every bag that is still to be mapped."""
    origin = _origin(place_map) or options.origin
    known = {s.source: s.complete for s in place_map.sessions()} if place_map else {}
    traverses = []
    given: set[Path] = set()
    for path in options.bags:
        here = path.resolve()
        # A folder and a file in it are one recording, too.
        if given & {here, here.parent} or here in {other.parent for other in given}:
            raise BagError(f'{path} is given twice: its places would be mapped twice')
        given.add(here)
    for path in options.bags:
        traverse = read_bag(path, options.topics(), origin, known, progress)
        if traverse is None:
            if not options.resume:
                raise MapError(f'{options.output} already holds {path}')
            continue
        found = traverse.track.origin
        if found is not None and origin is None and place_map and len(place_map):
            raise no_gps_frame(path, options.output)
        origin = origin or found
        traverses.append(traverse)
    if origin is not None:
        for traverse in traverses:
            if traverse.track.origin is None:
                traverse.notes.append(not_of_gps(traverse.path, origin))
    return traverses, origin


def not_of_gps(path: Path, origin: Origin) -> str:
    """Return a note about poses that are not of GPS, for a map in a frame that is."""
    return (f'{path}: its poses are not of GPS, and the map is in a frame of GPS with its origin '
            f'at {origin[0]:.6f}, {origin[1]:.6f}: they fit only where they are in that frame')


def no_gps_frame(bag: Path, output: Path) -> BagError:
    """Return the error of a bag whose positions have no place in the frame of a map."""
    return BagError(f'{bag} has GPS poses, but the places of {output} are not in a GPS frame')


def _add_each(place_map: PlaceMap, traverses: Sequence[Traverse], encoder: PlaceEncoder,
              options: BuildOptions, report: BuildReport, progress: bool) -> None:
    for traverse in traverses:
        add_traverse(place_map, traverse, encoder, options, report, progress)


def _add_folders(place_map: PlaceMap, traverses: Sequence[FolderTraverse], encoder: PlaceEncoder,
                 options: BuildOptions, report: BuildReport, progress: bool) -> None:
    report.notes += [note for traverse in traverses for note in traverse.notes]
    _add_each(place_map, traverses, encoder, options, report, progress)


def _add_bags(place_map: PlaceMap, traverses: Sequence[BagTraverse], encoder: PlaceEncoder,
              options: BuildOptions, report: BuildReport, progress: bool) -> None:
    for traverse in traverses:
        report.notes += traverse.notes
        if traverse.clock.jumps:
            report.notes.append(
                f'{traverse.path}: its stamps jump back {traverse.clock.jumps} times; the parts '
                'are mapped one after the other')
    _tell_frames(place_map, traverses, report)
    _tell_odometry(place_map, traverses, report)
    if not options.resume:
        Parts(place_map, options).clear()  # of a build that was given up
    begun = {s.source for s in place_map.sessions()}
    # What an interrupted build of one process has begun is finished the same way.
    alone = [t for t in traverses if t.source in begun]
    rest = [t for t in traverses if t.source not in begun]
    workers = min(options.workers or usable_cores(), len(rest))
    if options.ray is None and workers < 2:
        alone, rest = list(traverses), []
    _add_each(place_map, alone, encoder, options, report, progress)
    if rest and options.ray is not None:
        add_with_ray(place_map, rest, encoder, options, report, progress)
    elif rest:
        add_with_processes(place_map, rest, encoder, options, report, workers, progress)
    Parts(place_map, options).clear()


def _tell_frames(place_map: PlaceMap, traverses: Sequence[BagTraverse], report: BuildReport
                 ) -> None:
    """Note poses in other frames than those of the first drive; GPS makes its own."""
    first = place_map.value('pose_frame') or ''
    for traverse in traverses:
        frame = traverse.frame.strip('/')
        if traverse.track.origin is not None or not frame:
            continue
        if not first:
            first = frame
            place_map.set_meta(pose_frame=first)
        elif frame != first:
            report.notes.append(
                f'{traverse.path}: its poses are in frame {frame!r}, those of an earlier drive in '
                f'{first!r}, and are taken for those of one; are they not, build a map of its own '
                'and join the two with vpr_map merge --transform')


def _tell_odometry(place_map: PlaceMap, traverses: Sequence[BagTraverse], report: BuildReport
                   ) -> None:
    """Note that drives do not fit together by odometry, which begins anew with the robot."""
    own = [t for t in traverses if t.frame.strip('/').rpartition('/')[2] == 'odom']
    if own and len(traverses) + len({s.source for s in place_map.sessions()}
                                    - {t.source for t in traverses}) > 1:
        report.notes.append(
            f"{', '.join(str(t.path) for t in own)}: the poses are in frame {own[0].frame!r}, "
            'which begins anew when the robot starts: several drives fit together only where it '
            'did not; else take poses in one frame, for example --tf-frames map base_link')


def _finish(place_map: PlaceMap, report: BuildReport) -> None:
    if not report.interrupted:
        former = by_a_drive(place_map)
        try:
            report.calibration = calibrate_again(place_map, former)
        except KeyboardInterrupt:
            report.interrupted = True
            report.notes.append('all places are stored, but the map is not calibrated yet')
        if former is not None:
            report.notes.append(BY_A_DRIVE)
    report.total_places = len(place_map)
