# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags to a map, in transactions that can be interrupted and resumed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
import os
from pathlib import Path

import cv2
import numpy as np
from tetra_vpr_ros.mapping.bag_source import BagError, BagSource, ImageMessage
from tetra_vpr_ros.mapping.calibration import calibrate, Calibration, DEFAULT_FALSE_MATCH_RATE
from tetra_vpr_ros.mapping.keyframes import KeyframeSelector
from tetra_vpr_ros.mapping.map_error import MapError
from tetra_vpr_ros.mapping.place_map import check_creatable, PlaceMap
from tetra_vpr_ros.mapping.places import NewPlace
from tetra_vpr_ros.mapping.pose_track import Pose, PoseTrack
from tetra_vpr_ros.vision.decoding import Image, ImageError
from tetra_vpr_ros.vision.encoder import PlaceEncoder
from tetra_vpr_ros.vision.local_features import extract_features
from tqdm import tqdm

_BATCH = 8
_THUMBNAIL_SIDE = 240


@dataclass(frozen=True)
class BuildOptions:
    """
    What a map is built from, and how.

    :ivar bags: one traverse each.
    :ivar output: the map file to write.
    :ivar image_topic: None finds it by type.
    :ivar pose_topic: None finds it by type.
    :ivar tf_frames: parent and child frame; poses then come from ``/tf``.
    :ivar model: None for the shipped model.
    :ivar keyframe_distance: metres between places.
    :ivar keyframe_angle: degrees between places.
    :ivar max_pose_gap: seconds between two poses that may be interpolated.
    :ivar thumbnails: store a small picture of each place.
    :ivar features: store local features of each place, for geometric verification.
    :ivar frame_id: of the poses; None takes the parent of ``tf_frames``, else ``map``.
    :ivar resume: continue an interrupted build.
    :ivar append: add traverses to an existing map.
    :ivar threads: of the encoder; 0 for all cores.
    """

    bags: tuple[Path, ...]
    output: Path
    image_topic: str | None = None
    pose_topic: str | None = None
    tf_frames: tuple[str, str] | None = None
    model: Path | None = None
    keyframe_distance: float = 0.5
    keyframe_angle: float = 15.0
    max_pose_gap: float = 0.5
    thumbnails: bool = True
    features: bool = False
    frame_id: str | None = None
    resume: bool = False
    append: bool = False
    threads: int = 0


@dataclass
class BuildReport:
    """
    What happened to the frames.

    :ivar interrupted: Ctrl-C stopped the build.
    :ivar damaged: what stopped the reading of bags that are mapped only in part.
    """

    frames: int = 0
    places: int = 0
    not_keyframes: int = 0
    without_pose: int = 0
    undecodable: int = 0
    interrupted: bool = False
    damaged: list[str] = field(default_factory=list)
    total_places: int = 0
    calibration: Calibration | None = None

    def summary(self, path: Path) -> str:
        """Return a few lines for a person."""
        lines = [
            f'{self.frames} frames: {self.places} new places, {self.not_keyframes} too close '
            f'to the last place, {self.without_pose} without a pose, '
            f'{self.undecodable} undecodable',
            f'{path}: {self.total_places} places, '
            f'{path.stat().st_size / 1e6:.2f} MB']
        lines += [f'mapped in part: {error}' for error in self.damaged]
        if self.interrupted:
            lines.append('interrupted: run the same command with --resume to continue')
        elif self.calibration is None:
            lines.append('not calibrated: no two places are more than 5 m apart, so the map '
                         'cannot tell right from wrong matches')
        else:
            threshold = self.calibration.threshold(DEFAULT_FALSE_MATCH_RATE)
            found = self.calibration
            lines.append(
                f'calibrated on {found.samples} places and {found.positives} true pairs '
                f'({found.source}): at a false-match rate of {DEFAULT_FALSE_MATCH_RATE} a single '
                f'frame is accepted up to {threshold} bits, which {found.chance(threshold):.1%} '
                'of the frames off the map would pass')
        return '\n'.join(lines)


@dataclass(frozen=True)
class _Traverse:
    """A bag whose topics are resolved and whose poses are read; maps know it by ``source``."""

    path: Path
    source: str
    image_topic: str
    track: PoseTrack


def build_map(options: BuildOptions, progress: bool = True) -> BuildReport:
    """
    Build, continue or extend a map.

    Topics are resolved and poses are read of every bag before a map is begun.

    :param options: what to build.
    :param progress: show progress bars.
    :raises BagError: a bag or topic cannot be used.
    :raises MapError: the map cannot be written or continued.
    :raises ModelError: the model cannot be used.
    """
    encoder = PlaceEncoder(options.model, threads=options.threads or os.cpu_count() or 1)
    report = BuildReport()
    with ExitStack() as stack:
        if options.append or (options.resume and options.output.exists()):
            place_map = stack.enter_context(PlaceMap.open_file(options.output, writable=True))
            _check_continuation(place_map, encoder, options)
            traverses = _read_traverses(options, place_map, progress)
        else:
            check_creatable(options.output)
            traverses = _read_traverses(options, None, progress)
            default_frame = options.tf_frames[0] if options.tf_frames else 'map'
            place_map = stack.enter_context(PlaceMap.create(
                options.output, encoder.info, options.frame_id or default_frame))
        place_map.set_meta(build=_recipe(options))
        origin = next((t.track.origin for t in traverses if t.track.origin), None)
        if origin is not None:
            place_map.set_meta(geodetic_origin=origin)
        try:
            for traverse in traverses:
                _add_traverse(place_map, traverse, encoder, options, report, progress)
        except KeyboardInterrupt:
            report.interrupted = True
        else:
            report.calibration = _calibrate(place_map)
        report.total_places = len(place_map)
    return report


def _recipe(options: BuildOptions) -> dict[str, float]:
    return {'keyframe_distance': options.keyframe_distance,
            'keyframe_angle': options.keyframe_angle, 'max_pose_gap': options.max_pose_gap}


def _check_continuation(place_map: PlaceMap, encoder: PlaceEncoder, options: BuildOptions
                        ) -> None:
    """Refuse to continue a map with what does not fit it."""
    place_map.require_model(encoder.info)
    recipe = _recipe(options)
    stored = place_map.meta().get('build', recipe)
    if options.resume and stored != recipe:
        raise MapError(f'{options.output} was begun with {stored}, not {recipe}: '
                       'resume with the same values')
    if options.frame_id and options.frame_id != place_map.frame_id:
        raise MapError(f'{options.output} has poses in frame {place_map.frame_id!r}, '
                       f'not {options.frame_id!r}')
    unfinished = [s.source for s in place_map.sessions() if not s.complete]
    if unfinished and not options.resume:
        raise MapError(f'{options.output} has an unfinished traverse {unfinished[0]}: '
                       'finish it with --resume before you append')


def _read_traverses(options: BuildOptions, place_map: PlaceMap | None, progress: bool
                    ) -> list[_Traverse]:
    """Resolve the topics and read the poses of every bag that is still to be mapped."""
    stored = place_map.meta().get('geodetic_origin') if place_map else None
    origin = tuple(stored) if stored else None
    known = {s.source: s.complete for s in place_map.sessions()} if place_map else {}
    max_gap = int(options.max_pose_gap * 1e9)
    traverses = []
    for path in options.bags:
        with BagSource(path, progress) as bag:
            topic = bag.find_image_topic(options.image_topic)
            source = f'{path.resolve()}:{topic}'
            if known.get(source):
                if not options.resume:
                    raise MapError(f'{options.output} already holds {source}')
                continue
            if options.tf_frames is not None:
                track = bag.transform_track(*options.tf_frames, max_gap)
            else:
                track = bag.pose_track(bag.find_pose_topic(options.pose_topic), origin)
        if track.origin is not None and origin is None and place_map and len(place_map):
            raise BagError(f'{path} has GPS poses, but the places of {options.output} are not '
                           'in a GPS frame')
        origin = origin or track.origin
        traverses.append(_Traverse(path, source, topic, track))
    return traverses


def _add_traverse(place_map: PlaceMap, traverse: _Traverse, encoder: PlaceEncoder,
                  options: BuildOptions, report: BuildReport, progress: bool) -> None:
    begun = [s.number for s in place_map.sessions() if s.source == traverse.source]
    session = begun[0] if begun else place_map.begin_session(traverse.source)
    last = place_map.last_place(session)
    topic = traverse.image_topic
    with BagSource(traverse.path) as bag:
        bar = tqdm(bag.images(topic), total=bag.message_count(topic), unit='frame',
                   desc=f'mapping {traverse.path.name}', disable=not progress)
        frames: Iterator[ImageMessage] = iter(bar)
        if last is not None:  # skip what an interrupted build had done
            for frame in frames:
                if frame.stamp_ns == last[0]:
                    break
        selector = KeyframeSelector(options.keyframe_distance, options.keyframe_angle,
                                    last[1] if last else None)
        waiting: list[tuple[int, Pose, Image]] = []
        try:
            for frame in frames:
                picked = _pick(frame, traverse.track, selector, options, report)
                if picked is not None:
                    waiting.append(picked)
                if len(waiting) == _BATCH:
                    report.places += _store(place_map, session, encoder, waiting, options)
                    waiting = []
        except BagError as error:
            report.damaged.append(str(error))  # nothing more will ever come of this bag
        finally:  # whatever stopped it, what was read is kept
            report.places += _store(place_map, session, encoder, waiting, options)
            bar.close()
    place_map.finish_session(session)


def _pick(frame: ImageMessage, track: PoseTrack, selector: KeyframeSelector,
          options: BuildOptions, report: BuildReport) -> tuple[int, Pose, Image] | None:
    """Decide on a frame; only those that become places are decoded."""
    report.frames += 1
    pose = track.at(frame.stamp_ns, int(options.max_pose_gap * 1e9))
    if pose is None:
        report.without_pose += 1
        return None
    if not selector.wants(pose):
        report.not_keyframes += 1
        return None
    try:
        image = frame.decode()
    except ImageError:
        report.undecodable += 1
        return None
    selector.accept(pose)
    return frame.stamp_ns, pose, image


def _store(place_map: PlaceMap, session: int, encoder: PlaceEncoder,
           waiting: list[tuple[int, Pose, Image]], options: BuildOptions) -> int:
    if not waiting:
        return 0
    descriptors = encoder.encode_batch([image for _, _, image in waiting])
    place_map.add_places(session, [
        NewPlace(stamp, pose, descriptor, thumbnail_of(image) if options.thumbnails else None,
                 extract_features(image) if options.features else None)
        for (stamp, pose, image), descriptor in zip(waiting, descriptors)])
    return len(waiting)


def thumbnail_of(image: Image) -> bytes:
    """Return a JPEG whose short side is at most 240 pixels."""
    scale = min(1.0, _THUMBNAIL_SIDE / min(image.shape[:2]))
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale,
                                      interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
                           [cv2.IMWRITE_JPEG_QUALITY, 85])
    return data.tobytes()


def _calibrate(place_map: PlaceMap) -> Calibration | None:
    calibration = calibrate(place_map.places())
    place_map.set_meta(calibration=calibration.to_meta() if calibration else None)
    return calibration
