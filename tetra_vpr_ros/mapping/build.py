# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags to a map, in transactions that can be interrupted and resumed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import os
from pathlib import Path

import cv2
import numpy as np
from tetra_vpr_ros.mapping.bag_source import BagError, BagSource, ImageMessage
from tetra_vpr_ros.mapping.calibration import calibrate, Calibration
from tetra_vpr_ros.mapping.keyframes import KeyframeSelector
from tetra_vpr_ros.mapping.place_map import MapError, NewPlace, PlaceMap
from tetra_vpr_ros.mapping.pose_track import Pose, PoseTrack
from tetra_vpr_ros.vision.decoding import Image, ImageError
from tetra_vpr_ros.vision.encoder import PlaceEncoder
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
    frame_id: str | None = None
    resume: bool = False
    append: bool = False
    threads: int = 0


@dataclass
class BuildReport:
    """What happened to the frames; `interrupted` when Ctrl-C stopped the build."""

    frames: int = 0
    places: int = 0
    not_keyframes: int = 0
    without_pose: int = 0
    undecodable: int = 0
    interrupted: bool = False
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
        if self.interrupted:
            lines.append('interrupted: run the same command with --resume to continue')
        elif self.calibration is None:
            lines.append('not calibrated: no two places are more than 5 m apart, so the map '
                         'cannot tell right from wrong matches')
        else:
            threshold = self.calibration.threshold(0.001)
            lines.append(
                f'calibrated on {self.calibration.samples} places: at a false-match rate of '
                f'0.001 matches up to {threshold} bits are accepted, which '
                f'{self.calibration.chance(threshold):.1%} of the frames off the map would pass')
        return '\n'.join(lines)


def build_map(options: BuildOptions, progress: bool = True) -> BuildReport:
    """
    Build, continue or extend a map.

    Every bag is opened and its topics are resolved before the map is touched.

    :param options: what to build.
    :param progress: show a progress bar.
    :raises BagError: a bag or topic cannot be used.
    :raises MapError: the map cannot be written or continued.
    :raises ModelError: the model cannot be used.
    """
    encoder = PlaceEncoder(options.model, threads=options.threads or os.cpu_count() or 1)
    for path in options.bags:
        with BagSource(path) as bag:
            bag.find_image_topic(options.image_topic)
            if options.tf_frames is None:
                bag.find_pose_topic(options.pose_topic)
    report = BuildReport()
    with _open_map(options, encoder) as place_map:
        try:
            for path in options.bags:
                _add_bag(place_map, path, encoder, options, report, progress)
        except KeyboardInterrupt:
            report.interrupted = True
        else:
            report.calibration = _calibrate(place_map)
        report.total_places = len(place_map)
    return report


def _open_map(options: BuildOptions, encoder: PlaceEncoder) -> PlaceMap:
    recipe = {'keyframe_distance': options.keyframe_distance,
              'keyframe_angle': options.keyframe_angle,
              'max_pose_gap': options.max_pose_gap}
    if not (options.resume or options.append) or (options.resume and not options.output.exists()):
        default_frame = options.tf_frames[0] if options.tf_frames else 'map'
        place_map = PlaceMap.create(
            options.output, encoder.info, options.frame_id or default_frame)
        place_map.set_meta(build=recipe)
        return place_map
    place_map = PlaceMap.open_file(options.output, writable=True)
    try:
        place_map.require_model(encoder.info)
        stored = place_map.meta().get('build', recipe)
        if options.resume and stored != recipe:
            raise MapError(f'{options.output} was begun with {stored}, not {recipe}: '
                           'resume with the same values')
        if options.frame_id and options.frame_id != place_map.frame_id:
            raise MapError(f'{options.output} has poses in frame {place_map.frame_id!r}, '
                           f'not {options.frame_id!r}')
        if not options.resume:
            unfinished = [s.source for s in place_map.sessions() if not s.complete]
            if unfinished:
                raise MapError(f'{options.output} has an unfinished traverse {unfinished[0]}: '
                               'finish it with --resume before you append')
            place_map.set_meta(build=recipe)
    except BaseException:
        place_map.close()
        raise
    return place_map


def _add_bag(place_map: PlaceMap, path: Path, encoder: PlaceEncoder, options: BuildOptions,
             report: BuildReport, progress: bool) -> None:
    with BagSource(path) as bag:
        topic = bag.find_image_topic(options.image_topic)
        source = f'{path.resolve()}:{topic}'
        session = next((s for s in place_map.sessions() if s.source == source), None)
        if session is not None and session.complete:
            if not options.resume:
                raise MapError(f'{place_map.path} already holds {source}')
            return
        track = _track(place_map, bag, options)
        session_id = session.number if session else place_map.begin_session(source)
        last = place_map.last_place(session_id)
        bar = tqdm(bag.images(topic), total=bag.image_count(topic), unit='frame',
                   desc=f'mapping {path.name}', disable=not progress)
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
                picked = _pick(frame, track, selector, options, report)
                if picked is not None:
                    waiting.append(picked)
                if len(waiting) == _BATCH:
                    report.places += _store(place_map, session_id, encoder, waiting, options)
                    waiting = []
        finally:  # Ctrl-C and a damaged bag keep what was read
            report.places += _store(place_map, session_id, encoder, waiting, options)
            bar.close()
        place_map.finish_session(session_id)


def _track(place_map: PlaceMap, bag: BagSource, options: BuildOptions) -> PoseTrack:
    max_gap = int(options.max_pose_gap * 1e9)
    if options.tf_frames is not None:
        return bag.transform_track(*options.tf_frames, max_gap)
    stored = place_map.meta().get('geodetic_origin')
    track, origin = bag.pose_track(bag.find_pose_topic(options.pose_topic),
                                   tuple(stored) if stored else None)
    if origin is not None and not stored:
        if len(place_map):
            raise BagError(f'{bag.path} has GPS poses, but the places of {place_map.path} are '
                           'not in a GPS frame')
        place_map.set_meta(geodetic_origin=origin)
    return track


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
        NewPlace(stamp, pose, descriptor, thumbnail_of(image) if options.thumbnails else None)
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
